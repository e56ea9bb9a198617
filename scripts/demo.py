"""The whole path, as a person would want to see it: build, upload, index, solve, install, run.

Everything here is the real thing: packages made by rattler-build, uploaded by rattler-build's own uploaders, a server
started as ``channeld serve`` in an empty folder, an environment solved and installed by rattler. ``make demo`` runs it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import orjson
import rattler
import rattler_build

CHANNEL = "demo"
STAGING = "demo-staging"
RECIPES = {
    "greeting-data": """
package: {name: greeting-data, version: "1.0"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share/greeting
    - echo "Hello from a channel that tells the truth." > $PREFIX/share/greeting/text
about: {summary: The words of a greeting, license: BSD-3-Clause}
""",
    "greeting": """
package: {name: greeting, version: "1.0"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/bin
    - printf '#!/bin/sh\\ncat "$(dirname "$0")/../share/greeting/text"\\n' > $PREFIX/bin/greeting
    - chmod +x $PREFIX/bin/greeting
requirements: {run: ["greeting-data >=1.0"]}
about: {summary: Says it, license: BSD-3-Clause}
""",
    "farewell": """
package: {name: farewell, version: "1.0"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share/farewell
    - echo "Until the next build." > $PREFIX/share/farewell/text
about: {summary: The words of a farewell, license: BSD-3-Clause}
""",
}
#: Another build of the last one under the same name, as a second CI job may make it.
CHANGED = RECIPES["farewell"].replace("Until the next build.", "Something else.")

BOLD, DIM, GREEN, CYAN, RESET = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[36m", "\033[0m") if sys.stdout.isatty() else ("",) * 5
)


class Story:
    """Says what happens, step by step, with how long it took."""

    def __init__(self) -> None:
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._number += 1
        print(f"\n{BOLD}{CYAN}{self._number}. {title}{RESET}", flush=True)
        started = time.perf_counter()
        yield
        print(f"   {DIM}{time.perf_counter() - started:.2f} s{RESET}", flush=True)

    @staticmethod
    def say(text: str) -> None:
        print("   " + text.replace("\n", "\n   "), flush=True)

    @staticmethod
    def done(text: str) -> None:
        print(f"   {GREEN}✓{RESET} {text}", flush=True)


class Server:
    """``channeld serve`` as a process of its own, on a free port and an empty folder."""

    def __init__(self, folder: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CHANNELD_")}
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "channeld",
                    "serve",
                    "--port",
                    "0",
                    "--data-dir",
                    str(folder / "data"),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environ,
                text=True,
            )
        self.welcome = self._read_welcome()
        self.url = re.search(r"http://\S+", self.welcome)[0]  # type: ignore[index]
        self.token = re.search(r"cd-[a-z0-9]+-[a-z0-9]+", self.welcome)[0]  # type: ignore[index]
        self.environ = environ | {"CHANNELD_URL": self.url, "CHANNELD_TOKEN": self.token}

    def _read_welcome(self) -> str:
        assert self.process.stdout is not None
        text = ""
        while "channeld status" not in text:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"The server did not start:\n{self.log.read_text()}")
            text += line
        return text

    def run(self, *arguments: str) -> str:
        """Run a ``channeld`` command against the server, and return what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "channeld", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"`channeld {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def get(self, path: str, **fields: str) -> tuple[int, Message, bytes]:
        """GET a path; a refusal is an answer like any other."""
        request = urllib.request.Request(self.url + path, headers=fields)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


def build(folder: Path, name: str, recipe: str) -> Path:
    """Build a package with rattler-build."""
    for variant in rattler_build.Stage0Recipe.from_yaml(recipe).render():
        variant.run_build(output_dir=folder, channels=[])
    return next((folder / "noarch").glob(f"{name}-1.0-*.conda"))


def wait_for(server: Server, name: str) -> float:
    """Wait until a package is in the served index; returns seconds."""
    started = time.perf_counter()
    while name not in server.get(f"/{CHANNEL}/noarch/repodata.json")[2].decode():
        time.sleep(0.005)
    return time.perf_counter() - started


async def install(server: Server, folder: Path) -> list[str]:
    """Solve and install with rattler, as pixi does."""
    gateway = rattler.Gateway(cache_dir=folder / "repodata-cache")
    channel = rattler.Channel(f"{server.url}/{CHANNEL}")
    records = await rattler.solve([channel], ["greeting"], gateway=gateway, platforms=("linux-64", "noarch"))
    await rattler.install(records, target_prefix=folder / "env", cache_dir=folder / "package-cache")
    return sorted(f"{record.name.normalized} {record.version}" for record in records)


def tell(story: Story, folder: Path) -> None:
    with story.step("Build packages with rattler-build"):
        packages = {name: build(folder / "built", name, recipe) for name, recipe in RECIPES.items()}
        for path in packages.values():
            story.done(f"{path.name}  {path.stat().st_size:,} bytes")
    with story.step("Start a server in an empty folder:  channeld serve"):
        server = Server(folder)
        shown = server.welcome.replace(server.token, server.token[:16] + "…")
        story.say("\n".join(line for line in shown.strip().splitlines()))
    try:
        tell_server(story, folder, server, packages)
    finally:
        status = server.stop()
    story.done(f"The server stopped with status {status}.")


def tell_server(story: Story, folder: Path, server: Server, packages: dict[str, Path]) -> None:
    with story.step("Create a channel; it answers at once, empty"):
        story.say(server.run("channel", "create", CHANNEL, "--description", "What the demo is about"))
        status, fields, body = server.get(f"/{CHANNEL}/linux-64/repodata.json")
        story.done(
            f"GET /{CHANNEL}/linux-64/repodata.json  {status}, {len(body)} bytes, ETag {fields['ETag']}"
        )
    with story.step("Upload: one package with channeld, one with rattler-build's own uploader"):
        story.say(server.run("upload", "--channel", CHANNEL, str(packages["greeting-data"])))
        rattler_build.upload_package_to_prefix(
            [str(packages["greeting"])], server.url, CHANNEL, api_key=server.token
        )
        story.done(f"accepted; in the served index {wait_for(server, 'greeting-1.0') * 1000:.0f} ms later")
    with story.step("What clients fetch"):
        for document in ("repodata.json.zst", "repodata_shards.msgpack.zst", "run_exports.json"):
            path = f"/{CHANNEL}/noarch/{document}"
            status, fields, body = server.get(path)
            again, _, _ = server.get(path, **{"If-None-Match": fields["ETag"]})
            story.done(f"{path}  {status}, {len(body):,} bytes; asked again with its ETag: {again}")
    with story.step("Refused, with the reason, and nothing stored"):
        changed = folder / packages["greeting"].name
        changed.write_bytes(packages["greeting"].read_bytes() + b"tampered")
        request = urllib.request.Request(
            f"{server.url}/{CHANNEL}/noarch/{changed.name}",
            data=changed.read_bytes(),
            method="PUT",
            headers={"Authorization": f"Bearer {server.token}"},
        )
        try:
            urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            story.done(f"{error.code}: {error.read().decode()}")
    with story.step("Solve, install and run, with rattler"):
        installed = asyncio.run(install(server, folder))
        story.done("installed " + ", ".join(installed))
        said = subprocess.run([folder / "env/bin/greeting"], capture_output=True, text=True, check=True)
        story.done(f"bin/greeting says: {BOLD}{said.stdout.strip()}{RESET}")
        if "tells the truth" not in said.stdout:
            raise SystemExit("The installed program did not say what was packaged.")
    promote(story, server, packages, build(folder / "changed", "farewell", CHANGED))
    with story.step("Mark a package broken: it leaves the index, and stays downloadable"):
        story.say(
            server.run("broken", "mark", CHANNEL, packages["greeting"].name, "--reason", "for the demo")
        )
        started = time.perf_counter()
        while packages["greeting"].name in visible(server):
            time.sleep(0.005)
        story.done(f"gone from repodata.json {(time.perf_counter() - started) * 1000:.0f} ms later")
        status, _, _ = server.get(f"/{CHANNEL}/noarch/{packages['greeting'].name}")
        story.done(f"GET of the file itself: {status}")
    with story.step("Where things stand:  channeld status"):
        story.say(server.run("status"))


def promote(story: Story, server: Server, packages: dict[str, Path], changed: Path) -> None:
    """Upload to staging, as CI does with one token for all, and promote what is in order."""
    with story.step("Staging: everybody's CI uploads, and a feedstock says what it may publish"):
        story.say(server.run("channel", "create", STAGING, "--staging", "--promotes-to", CHANNEL))
        story.say(server.run("feedstock", "register", CHANNEL, "farewell", "--output", "farewell"))
        secret = orjson.loads(server.run("feedstock", "token", "make", CHANNEL, "farewell", "--json"))[
            "token"
        ]
        for package in (packages["farewell"], packages["greeting"]):
            rattler_build.upload_package_to_anaconda(
                [str(package)], STAGING, api_key=server.token, url=server.url
            )
            story.done(f"{package.name} is on {STAGING}, uploaded by rattler-build over anaconda.org's calls")
    farewell, greeting = (
        {f"noarch/{packages[name].name}": sha256_of(packages[name])} for name in ("farewell", "greeting")
    )
    with story.step("Promotion, by conda-forge's own protocol: POST /feedstock-outputs/copy"):
        refused(story, server, "A wrong token", "0" * 64, farewell)
        refused(story, server, "A wrong hash", secret, dict.fromkeys(farewell, "0" * 64))
        refused(story, server, "Somebody else's output", secret, greeting)
        status, answer = copy(server, secret, farewell)
        if status != 200 or not visible(server) >= {packages["farewell"].name}:
            raise SystemExit(f"The promotion failed: {answer}")
        story.done(
            f"{status}: {packages['farewell'].name} is copied, and listed by {CHANNEL} when the answer comes"
        )
        rattler_build.upload_package_to_anaconda(
            [str(changed)], STAGING, api_key=server.token, url=server.url
        )
        refused(
            story, server, "Other bytes, same name", secret, {f"noarch/{changed.name}": sha256_of(changed)}
        )
    with story.step("Who did what, in a chain of hashes:  channeld audit"):
        story.say(server.run("audit", "--limit", "4"))


def copy(server: Server, secret: str, outputs: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Ask for outputs to be copied to production, as a feedstock's CI does."""
    asked = {"feedstock": "farewell-feedstock", "outputs": outputs, "channel": "main", "hash_type": "sha256"}
    request = urllib.request.Request(
        f"{server.url}/feedstock-outputs/copy",
        data=orjson.dumps(asked),
        headers={"FEEDSTOCK_TOKEN": secret, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, orjson.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, orjson.loads(error.read())


def refused(story: Story, server: Server, what: str, secret: str, outputs: dict[str, str]) -> None:
    """Ask for what must not be copied, and show why it is not."""
    status, answer = copy(server, secret, outputs)
    if status != 400:
        raise SystemExit(f"{what} was not refused: {answer}")
    reasons = re.sub(r"([0-9a-f]{12})[0-9a-f]{52}", r"\1…", "; ".join(answer["errors"]))
    story.done(f"{what}: {status}, {reasons}")


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def visible(server: Server) -> set[str]:
    """Name the packages that clients see."""
    document = orjson.loads(server.get(f"/{CHANNEL}/noarch/repodata.json")[2])
    return {*document["packages"], *document["packages.conda"]}


def main() -> None:
    started = time.perf_counter()
    print(f"{BOLD}channeld, from nothing to an installed package{RESET}")
    with tempfile.TemporaryDirectory(prefix="channeld-demo-") as folder:
        tell(Story(), Path(folder))
    print(f"\n{GREEN}{BOLD}Everything worked{RESET}, in {time.perf_counter() - started:.1f} s.\n")


if __name__ == "__main__":
    main()
