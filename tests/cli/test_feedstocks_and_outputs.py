"""Feedstocks, their tokens and outputs are looked after from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channeld.promotion.feedstocktokens import RANDOM_BYTES, FeedstockTokens, new_token
from channeld.promotion.outputsrepo import ALLOWLIST
from tests.cli.conftest import Ran, Run
from tests.support.server import ServerThread


def lines(ran: Ran) -> list[str]:
    assert (ran.status, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_feedstock_is_registered_shown_archived_and_brought_back(run: Run) -> None:
    made = run("feedstock", "register", "chan", "llvmdev", "--output", "llvm", "--glob", "libllvm*")
    facts = [line for line in lines(made) if not line.startswith("registered:")]
    assert facts == [
        "name:       llvmdev",
        "archived:   no",
        "outputs:    1",
        "globs:      1",
        "tokens:     0",
    ]
    assert run("feedstock", "show", "chan", "llvmdev-feedstock").stdout == made.stdout
    run("feedstock", "register", "chan", "numpy")
    assert run("feedstock", "archive", "chan", "numpy").status == 0
    assert [line.split()[0] for line in lines(run("feedstock", "list", "chan", "--archived"))] == [
        "NAME",
        "numpy",
    ]
    assert [line.split()[0] for line in lines(run("feedstock", "list", "chan", "--active"))] == [
        "NAME",
        "llvmdev",
    ]
    assert "archived:   no" in lines(run("feedstock", "unarchive", "chan", "numpy"))
    listed = json.loads(run("feedstock", "list", "chan", "--json").stdout)
    assert [each["name"] for each in listed["feedstocks"]] == ["llvmdev", "numpy"]


def test_tokens_are_made_rotated_listed_and_revoked(run: Run) -> None:
    run("feedstock", "register", "chan", "numpy")
    first = run("feedstock", "token", "make", "chan", "numpy", "--provider", "azure", "--expires-in", "30d")
    assert (first.status, first.stderr) == (0, "The token, which is shown this once:\n")
    assert len(first.stdout.strip()) == 64
    second = run("feedstock", "token", "rotate", "chan", "numpy", "--provider", "azure", "--overlap", "2h")
    assert second.stdout != first.stdout
    table = lines(run("feedstock", "token", "list", "chan", "numpy"))
    assert [line.split()[1:3] for line in table[1:]] == [["azure", "valid"], ["azure", "valid"]]
    assert first.stdout.strip() not in "".join(table)
    number = table[1].split()[0]
    assert lines(run("feedstock", "token", "revoke", "chan", "numpy", number)) == [
        f"The token {number} of the feedstock numpy is revoked."
    ]
    assert lines(run("feedstock", "token", "revoke", "chan", "numpy", "--all")) == [
        "1 token of the feedstock numpy revoked."
    ]
    assert run("feedstock", "token", "revoke", "chan", "numpy").status == 2
    states = [line.split()[2] for line in lines(run("feedstock", "token", "list", "chan", "numpy"))[1:]]
    assert states == ["revoked", "revoked"]


def test_token_files_are_imported_from_folders_and_by_name(run: Run, tmp_path: Path) -> None:
    for number in range(3):
        made = new_token(bytes([number]) * RANDOM_BYTES)
        name = "extra/scipy.json" if number == 2 else f"tokens/f{number}.json"
        write(tmp_path, {name: FeedstockTokens((made.row,)).written()})
    paths = (str(tmp_path / "tokens"), str(tmp_path / "extra" / "scipy.json"))
    done = run("feedstock", "import-tokens", "chan", *paths)
    assert lines(done) == ["3 added, 0 known, 0 past their end; 3 feedstocks registered."]
    assert lines(run("feedstock", "import-tokens", "chan", *paths)) == [
        "0 added, 3 known, 0 past their end; 0 feedstocks registered."
    ]


def test_a_token_file_that_cannot_be_read_is_named(run: Run, tmp_path: Path) -> None:
    broken = write(tmp_path / "tokens", {"numpy.json": "{"}) / "numpy.json"
    failed = run("feedstock", "import-tokens", "chan", str(broken.parent))
    assert failed.status == 1
    assert str(broken) in failed.stderr
    assert run("feedstock", "import-tokens", "chan", str(tmp_path / "none")).status == 2


def test_outputs_and_globs_are_added_listed_asked_about_and_removed(run: Run) -> None:
    for name in ("llvmdev", "numpy"):
        run("feedstock", "register", "chan", name)
    added = run("output", "add", "chan", "llvmdev", "llvm", "libllvm*", "clang-[0-9]*")
    assert lines(added) == ["1 output and 2 globs registered, and 0 feedstocks."]
    run("output", "add", "chan", "numpy", "llvm")
    assert lines(run("output", "list", "chan")) == ["OUTPUT  FEEDSTOCKS", "llvm    llvmdev numpy"]
    assert lines(run("output", "list", "chan", "--feedstock", "numpy"))[1:] == ["llvm    llvmdev numpy"]
    assert lines(run("output", "globs", "chan")) == [
        "FEEDSTOCK  GLOB",
        "llvmdev    libllvm*",
        "llvmdev    clang-[0-9]*",
    ]
    assert lines(run("output", "show", "chan", "libllvm19")) == [
        "name:        libllvm19",
        "may publish: llvmdev",
        "registered:  -",
        "matched:     llvmdev (libllvm*)",
    ]
    assert lines(run("output", "show", "chan", "nmupy"))[1] == "may publish: nobody"
    removed = run("output", "remove", "chan", "llvmdev", "llvm", "libllvm*")
    assert lines(removed) == [
        "llvm is no longer the feedstock llvmdev's.",
        "libllvm* is no longer the feedstock llvmdev's.",
    ]
    assert run("output", "remove", "chan", "llvmdev", "llvm").status == 1


def test_a_registry_goes_through_a_server_unchanged(run: Run, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "there",
        {
            "outputs/n/u/m/numpy.json": '{"feedstocks": ["numpy"]}\n',
            "outputs/b/c/z/bc.json": '{"feedstocks": ["gnu", "bc"]}',
            ALLOWLIST: "# kept\nllvmdev:\n- libllvm*\n- 'llvm-[0-9]*'\n",
            "README.md": "about",
        },
    )
    before = written(folder)
    assert lines(run("output", "import", "chan", str(folder))) == [
        "3 outputs and 2 globs registered, and 4 feedstocks."
    ]
    assert lines(run("output", "import", "chan", str(folder))) == [
        "0 outputs and 0 globs registered, and 0 feedstocks."
    ]
    assert lines(run("output", "export", "chan", str(folder))) == ["0 files written, 0 deleted."]
    assert written(folder) == before
    assert lines(run("output", "export", "chan", str(tmp_path / "new"))) == ["3 files written, 0 deleted."]
    run("output", "remove", "chan", "numpy", "numpy")
    run("output", "add", "chan", "bc", "bc-extra")
    assert lines(run("output", "export", "chan", str(folder))) == ["1 file written, 1 deleted."]
    assert written(folder).keys() - before.keys() == {"outputs/b/c/e/bc-extra.json"}
    assert before.keys() - written(folder).keys() == {"outputs/n/u/m/numpy.json"}


def test_the_real_registry_goes_through_a_server_unchanged(run: Run, test_data: Path, tmp_path: Path) -> None:
    sample = test_data / "validation" / "feedstock-outputs-sample"
    done = run("output", "import", "chan", str(sample), "--json")
    assert done.status == 0
    counts = json.loads(done.stdout)
    assert counts["outputs"] >= 240
    assert counts["globs"] > 50
    folder = write(tmp_path / "copy", dict(written(sample)))
    assert lines(run("output", "export", "chan", str(folder))) == ["0 files written, 0 deleted."]


def test_a_large_registry_is_sent_in_batches(run: Run, server: ServerThread, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        f"outputs/a/{number // 10 % 10}/{number // 100 % 10}/a{number // 10 % 10}{number // 100 % 10}-{number}.json": (
            f'{{"feedstocks": ["f{number % 7}"]}}'
        )
        for number in range(2500)
    }
    files[ALLOWLIST] = "many:\n" + "".join(f"- g{number}-*\n" for number in range(1200))
    folder = write(tmp_path / "large", files)
    assert lines(run("output", "import", "chan", str(folder))) == [
        "2,500 outputs and 1,200 globs registered, and 8 feedstocks."
    ]
    asked = server.ask("GET", "/api/v1/channels/chan").json["revision"]
    assert asked < 20
    assert lines(run("output", "export", "chan", str(folder))) == ["0 files written, 0 deleted."]


@pytest.mark.parametrize(
    "files",
    [
        {"outputs/n/u/m/numpy.json": '{"feedstocks": ["../numpy"]}'},
        {"outputs/n/u/m/scipy.json": '{"feedstocks": ["scipy"]}'},
        {"outputs/n/u/m/numpy.json": "{"},
        {ALLOWLIST: "llvmdev:\n- '**'\n"},
        {"config.json": '{"outputs_path": "../elsewhere"}'},
    ],
)
def test_what_cannot_be_read_is_told_before_anything_is_sent(
    run: Run, tmp_path: Path, files: dict[str, bytes | str]
) -> None:
    folder = write(tmp_path / "bad", {"outputs/a/b/c/abc.json": '{"feedstocks": ["abc"]}', **files})
    failed = run("output", "import", "chan", str(folder))
    assert (failed.status, failed.stdout) == (1, "")
    assert failed.stderr.startswith("Error: ")
    assert lines(run("feedstock", "list", "chan")) == ["NAME  REGISTERED  ARCHIVED"]


def test_no_link_leads_out_of_the_folder(run: Run, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"x.json": '{"feedstocks": ["x"]}'})
    folder = write(tmp_path / "here", {"outputs/a/b/c/abc.json": '{"feedstocks": ["abc"]}'})
    (folder / "outputs/x/z").mkdir(parents=True)
    (folder / "outputs/x/z/z").symlink_to(outside)
    (folder / "outputs/a/b/c/abcd.json").symlink_to(outside / "x.json")
    assert lines(run("output", "import", "chan", str(folder))) == [
        "1 output and 0 globs registered, and 1 feedstock."
    ]
    (folder / "outputs/n").symlink_to(outside)
    run("feedstock", "register", "chan", "numpy", "--output", "numpy")
    failed = run("output", "export", "chan", str(folder))
    assert failed.status == 1
    assert "leads out of the folder" in failed.stderr
    assert written(outside).keys() == {"x.json"}
