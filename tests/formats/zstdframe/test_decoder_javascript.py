"""A decoder that shares no code with libzstd, fzstd in pure JavaScript, decodes to identical bytes.

Node is needed, and the package: ``npm install fzstd``, in the project's folder or the one above it, or anywhere else
with the environment variable CHANNELD_FZSTD naming the package's folder (``.../node_modules/fzstd``).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.zstd_documents import EAGER_STARTS, ODD_END, Page, random_document, splice

# Prints, by file name, the sha256 of what the one-shot and the streaming decoder make of each file.
SCRIPT = """
const fs = require("fs"), path = require("path"), crypto = require("crypto");
const fzstd = require(process.argv[1]), folder = process.argv[2];
const sha256 = (parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash("sha256")).digest("hex");
const streamed = (data) => {
  const parts = [];
  const decoder = new fzstd.Decompress((part) => parts.push(part));
  for (let at = 0; at < data.length; at += 4099)
    decoder.push(data.subarray(at, at + 4099), at + 4099 >= data.length);
  return parts;
};
const result = {};
for (const name of fs.readdirSync(folder)) {
  const data = new Uint8Array(fs.readFileSync(path.join(folder, name)));
  result[name] = [sha256([fzstd.decompress(data)]), sha256(streamed(data))];
}
console.log(JSON.stringify(result));
"""


@pytest.fixture
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    return program


@pytest.fixture
def fzstd() -> Path:
    project = Path(__file__).parents[3]
    named = os.environ.get("CHANNELD_FZSTD")
    places = (
        [Path(named)] if named else [folder / "node_modules/fzstd" for folder in (project, project.parent)]
    )
    for place in places:
        if (place / "package.json").is_file():
            return place.resolve()
    pytest.skip("the npm package fzstd is not installed (npm install fzstd, or CHANNELD_FZSTD=its folder)")


def test_fzstd_decodes_a_batch_of_documents(node: str, fzstd: Path, tmp_path: Path) -> None:
    dice = random.Random(30)
    batch = [random_document(dice) for _ in range(60)]
    raws = [raw for start in EAGER_STARTS for raw in (ODD_END, start)]
    batch += [splice([[Page(raw, level) for raw in raws]] * 2) for level in range(1, 20)]
    expected = {}
    for number, document in enumerate(batch):
        (tmp_path / str(number)).write_bytes(document.frame)
        expected[str(number)] = [hashlib.sha256(document.text).hexdigest()] * 2

    done = subprocess.run(
        [node, "-e", SCRIPT, str(fzstd), str(tmp_path)], check=True, timeout=100, capture_output=True
    )

    assert json.loads(done.stdout) == expected
