"""Commands find their server and their token, and send no token to a server that it is not for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Ran, Run, run_command
from tests.support.server import ServerThread, grant


def settings_file(folder: Path, url: str) -> Path:
    """Write settings that name the address of a server and a data folder."""
    host, _, port = url.removeprefix("http://").partition(":")
    file = folder / "channeld.toml"
    (folder / "data").mkdir(exist_ok=True)
    file.write_text(f'[server]\nhost = "{host}"\nport = {port}\n[storage]\ndata_dir = "{folder / "data"}"\n')
    return file


def show(*arguments: str, **env: str) -> Ran:
    return run_command("token", "show", *arguments, env=dict(env))


def test_options_are_stronger_than_variables(server: ServerThread) -> None:
    url, admin = server.server.url, server.server.admin
    assert (
        show("--server", url, "--token", admin, CHANNELD_URL="http://127.0.0.1:1", CHANNELD_TOKEN="x").status
        == 0
    )
    assert show(CHANNELD_URL=url, CHANNELD_TOKEN=admin).status == 0


def test_a_token_may_lie_in_a_file(server: ServerThread, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(server.server.admin + "\n")
    assert show("--token-file", str(file), CHANNELD_URL=server.server.url).status == 0
    assert show(CHANNELD_TOKEN_FILE=str(file), CHANNELD_URL=server.server.url).status == 0
    missing = show("--token-file", str(tmp_path / "none"), CHANNELD_URL=server.server.url)
    assert (missing.status, missing.stdout) == (1, "")
    assert "cannot be read: No such file or directory" in missing.stderr


def test_a_file_that_is_named_goes_before_a_token_in_the_environment(
    server: ServerThread, tmp_path: Path
) -> None:
    env = {"CHANNELD_URL": server.server.url, "CHANNELD_TOKEN": server.server.admin}
    missing = show("--token-file", str(tmp_path / "none"), **env)
    assert (missing.status, missing.stdout) == (1, "")
    assert "cannot be read: No such file or directory" in missing.stderr
    file = tmp_path / "token"
    file.write_text(server.server.admin)
    wrong = {**env, "CHANNELD_TOKEN": "wrong"}
    assert show("--token-file", str(file), **wrong).status == 0
    # of two variables the token itself goes first, as it does of two that are not said
    assert show(CHANNELD_TOKEN_FILE=str(tmp_path / "none"), **env).status == 0


def test_two_tokens_in_one_command_are_one_too_many(server: ServerThread, tmp_path: Path) -> None:
    both = show("--token", "x", "--token-file", str(tmp_path), CHANNELD_URL=server.server.url)
    assert (both.status, both.stdout) == (2, "")
    assert both.stderr.endswith("There can be one token only: give --token or --token-file, not both.\n")


def test_on_its_own_machine_the_settings_say_where_and_the_data_folder_who(
    server: ServerThread, tmp_path: Path
) -> None:
    config = settings_file(tmp_path, server.server.url)
    refused = show("--config", str(config))
    assert (refused.status, refused.stderr.splitlines()) == (
        1,
        [
            "Error: GET /api/v1/token needs a token.",
            "Put one into the variable CHANNELD_TOKEN, or name the file that holds it with --token-file.",
        ],
    )
    (tmp_path / "data" / "admin.token").write_text(server.server.admin)
    assert show("--config", str(config)).status == 0
    assert show(CHANNELD_CONFIG=str(config)).status == 0


def test_the_local_token_is_not_sent_to_a_server_that_is_named(server: ServerThread, tmp_path: Path) -> None:
    config = settings_file(tmp_path, "http://127.0.0.1:1")
    (tmp_path / "data" / "admin.token").write_text(server.server.admin)
    refused = show("--config", str(config), CHANNELD_URL=server.server.url)
    assert (refused.status, refused.stderr.splitlines()[0]) == (1, "Error: GET /api/v1/token needs a token.")


def test_a_server_that_is_named_needs_no_settings(server: ServerThread, tmp_path: Path) -> None:
    shown = show(
        CHANNELD_URL=server.server.url,
        CHANNELD_TOKEN=server.server.admin,
        CHANNELD_CONFIG=str(tmp_path / "none"),
    )
    assert shown.status == 0


def test_settings_that_are_wrong_are_told_in_a_sentence(tmp_path: Path) -> None:
    refused = show(CHANNELD_CONFIG=str(tmp_path / "none"))
    assert (refused.status, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The settings file ")
    assert "Traceback" not in refused.stderr


def test_a_free_port_is_not_known(tmp_path: Path) -> None:
    refused = show("--config", str(settings_file(tmp_path, "http://127.0.0.1:0")))
    assert refused.status == 1
    assert "any free port" in refused.stderr


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://a/?b",
        "http://u:p@host",
        "http://a:99999",
        "http://[::1",
    ],
)
def test_what_is_no_url_of_a_server_is_a_wrong_command_line(url: str) -> None:
    refused = show("--server", url)
    assert (refused.status, refused.stdout) == (2, "")


def test_a_token_that_cannot_be_one_is_a_wrong_command_line() -> None:
    refused = show("--server", "http://127.0.0.1:1", "--token", "a b")
    assert refused.status == 2
    assert "a b" not in refused.stderr


def test_a_server_that_cannot_be_reached_has_a_status_of_its_own() -> None:
    refused = show("--server", "http://127.0.0.1:1", "--token", "x")
    assert (refused.status, refused.stdout) == (3, "")
    assert refused.stderr.startswith(
        "Error: The server http://127.0.0.1:1 cannot be reached: Connection refused.\n"
    )


def test_a_wrong_token_is_refused_and_not_repeated(server: ServerThread) -> None:
    wrong = "cd-aaaaaaaaaaaa-" + "b" * 32
    refused = show(CHANNELD_URL=server.server.url, CHANNELD_TOKEN=wrong)
    assert refused.status == 1
    assert "b" * 32 not in refused.stdout + refused.stderr


def test_what_the_server_refuses_is_told_with_its_advice(server: ServerThread, run: Run) -> None:
    refused = run("channel", "show", "none")
    assert refused == Ran(
        1,
        "",
        "Error: There is no channel 'none'.\nCheck the name, or create it with `channeld channel create`.\n",
    )
    token = server.server.token(grant("read"))
    refused = run("channel", "create", "new", env={"CHANNELD_TOKEN": token})
    assert refused.status == 1
    assert "needs a token with the right 'admin' on the channel 'new'" in refused.stderr


def test_a_server_that_is_no_channeld_is_told_apart(server: ServerThread) -> None:
    refused = show("--server", f"{server.server.url}/chan", "--token", server.server.admin)
    assert refused.status == 1
    assert "There is nothing at /chan/api/v1/token." in refused.stderr
