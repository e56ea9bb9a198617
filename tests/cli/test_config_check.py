"""``channeld config check`` tells a mistake in the settings, and starts and makes nothing."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Ran, run_command


def check(folder: Path, text: str, **env: str) -> Ran:
    path = folder / "channeld.toml"
    path.write_text(f'{text}\n[storage]\ndata_dir = "{folder / "data"}"\n')
    return run_command("config", "check", "--config", str(path), env=dict(env))


def test_right_settings_are_right_and_nothing_is_made(tmp_path: Path) -> None:
    checked = check(tmp_path, "[server]\nport = 9000")
    file = tmp_path / "channeld.toml"
    assert checked == Ran(
        0, f"The settings are right: {file}, and the variables of this environment.\n", checked.stderr
    )
    assert checked.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["channeld.toml"]


def test_a_misspelt_key_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    checked = check(tmp_path, "[server]\nprot = 9000")
    assert (checked.status, checked.stdout) == (1, "")
    assert "no key 'prot' in section [server]" in checked.stderr
    assert "the nearest known key is server.port" in checked.stderr


def test_a_variable_counts_too(tmp_path: Path) -> None:
    checked = check(tmp_path, "[server]\nport = 9000", CHANNELD_SERVER__WORKERS="many")
    assert (checked.status, checked.stdout) == (1, "")
    assert "CHANNELD_SERVER__WORKERS sets it to 'many'" in checked.stderr
