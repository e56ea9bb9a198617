"""Rule: ``fsck --packages`` reads every package, names those that are not as they came in, and changes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from channeld.instance import Instance
from tests.cli.conftest import Ran, run_command
from tests.support.instances import make_channel, opened
from tests.support.packages import build_conda

NAMES = ("alpha", "beta", "gamma")
PACKAGES = {name: build_conda(name) for name in NAMES}


def blob(instance: Instance, name: str) -> Path:
    return instance.blobs.path(hashlib.sha256(PACKAGES[name]).hexdigest())


def fsck(folder: Path, *options: str) -> Ran:
    return run_command("fsck", *options, "--data-dir", str(folder / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with two channels; one package of three is in both."""
    source = tmp_path / "source" / "noarch"
    source.mkdir(parents=True)
    for name, data in PACKAGES.items():
        (source / f"{name}-1.0-0.conda").write_bytes(data)
    with opened(tmp_path) as instance:
        make_channel(instance, "one")
        make_channel(instance, "two")
    for channel in ("one", "two"):
        done = run_command(
            "import", channel, str(source.parent), "-j", "1", "--data-dir", str(tmp_path / "data")
        )
        assert done.status == 0, done
        for name in NAMES[1:]:
            (source / f"{name}-1.0-0.conda").unlink(missing_ok=True)
    return tmp_path


def test_sound_ones_are_counted(folder: Path) -> None:
    done = fsck(folder, "--packages")
    size = sum(map(len, PACKAGES.values()))
    assert done.status == 0
    assert done.stdout.endswith(f"\n3 packages read, {size / 1e6:,.1f} MB, 0 damaged or missing.\n")


def test_without_the_option_they_are_not_read(folder: Path) -> None:
    with opened(folder) as instance:
        blob(instance, "alpha").unlink()
    done = fsck(folder)
    assert done.status == 0
    assert "packages read" not in done.stdout


def test_each_that_is_damaged_or_missing_is_named_with_all_its_places(folder: Path) -> None:
    with opened(folder) as instance:
        alpha, beta, gamma = (blob(instance, name) for name in NAMES)
    damaged = bytes(len(PACKAGES["alpha"]))
    alpha.write_bytes(damaged)
    beta.unlink()

    done = fsck(folder, "--packages", "--repair")

    assert done.status == 1
    lines = done.stdout.splitlines()
    found = lines[next(number for number, line in enumerate(lines) if line.startswith("one/noarch/")) :]
    assert dict(zip(found[0:4:2], found[1:4:2], strict=True)) == {
        "one/noarch/alpha-1.0-0.conda, two/noarch/alpha-1.0-0.conda": (
            f"    its bytes are damaged: {alpha} has the sha256 {hashlib.sha256(damaged).hexdigest()}"
        ),
        "one/noarch/beta-1.0-0.conda": f"    its bytes are missing; they belong into {beta}",
    }
    assert found[4].endswith(" MB, 2 damaged or missing.")
    assert found[5].startswith("Upload these packages again")
    assert len(found) == 6
    assert (alpha.read_bytes(), beta.exists(), gamma.exists()) == (damaged, False, True)


def test_of_one_channel_only_its_own_are_read(folder: Path) -> None:
    with opened(folder) as instance:
        blob(instance, "beta").unlink()
    assert "1 package read" in fsck(folder, "--packages", "--channel", "two").stdout
    assert fsck(folder, "--packages", "--channel", "two").status == 0
    assert fsck(folder, "--packages", "--channel", "one").status == 1
