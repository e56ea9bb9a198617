"""The zstd command line decodes spliced documents to identical bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.zstd_documents import random_document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def zstd() -> str:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("the zstd command line is not installed (Debian: apt-get install zstd)")
    return program


def test_the_command_line_decodes_a_batch_of_documents(zstd: str, tmp_path: Path) -> None:
    dice = random.Random(20)
    expected = {}
    for number in range(60):
        document = random_document(dice)
        (tmp_path / f"{number}.zst").write_bytes(document.frame)
        expected[str(number)] = document.text

    subprocess.run([zstd, "-d", "-q", *sorted(tmp_path.glob("*.zst"))], check=True, timeout=60)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ""} == expected
