"""Defaults, then the file, then the environment."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from channeld.settings import Settings, load, sections
from channeld.settings.reference import describe


def write(folder: Path, text: str) -> Path:
    path = folder / "channeld.toml"
    path.write_text(text)
    return path


def test_nothing_given_is_the_defaults() -> None:
    assert load(None, {}) == Settings()


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, ""), {}) == Settings()


def test_the_file_sets_values_of_every_kind(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [server]
        port = 9_000
        base_url = "https://conda.example.org/channels"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [storage]
        data_dir = "/var/lib/channeld"
        database_url = "postgresql://channeld@db/channeld"
        [log]
        format = "json"
        """,
    )
    assert load(path, {}) == Settings(
        server=sections.Server(
            port=9000,
            base_url="https://conda.example.org/channels",
            trusted_proxies=("10.0.0.0/8", "::1"),
        ),
        storage=sections.Storage(
            data_dir=Path("/var/lib/channeld"), database_url="postgresql://channeld@db/channeld"
        ),
        log=sections.Log(format="json"),
    )


def test_the_environment_sets_values_of_every_kind() -> None:
    environ = {
        "CHANNELD_SERVER__PORT": "0",
        "CHANNELD_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "CHANNELD_STORAGE__DATA_DIR": "/srv/channeld",
        "CHANNELD_LOG__LEVEL": "debug",
    }
    assert load(None, environ) == Settings(
        server=sections.Server(port=0, trusted_proxies=("10.0.0.0/8", "::1")),
        storage=sections.Storage(data_dir=Path("/srv/channeld")),
        log=sections.Log(level="debug"),
    )


def test_the_environment_is_stronger_than_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\nport = 1\nhost = "::"\ntrusted_proxies = ["10.0.0.0/8"]\n')
    environ = {"CHANNELD_SERVER__PORT": "2", "CHANNELD_SERVER__TRUSTED_PROXIES": ""}
    assert load(path, environ).server == sections.Server(port=2, host="::")


def test_other_variables_are_no_settings() -> None:
    environ = {
        "CHANNELD_SERVER_PORT": "tcp://10.0.0.7:8000",  # by Kubernetes
        "CHANNELD_CONFIG": "x.toml",
        "SERVER__PORT": "1",
        "channeld_server__port": "1",
    }
    assert load(None, environ) == Settings()


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.server = sections.Server(port=1)  # type: ignore[misc]  # what the test is about
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.server.port = 1  # type: ignore[misc]  # likewise


def test_the_password_of_the_database_is_not_in_the_repr() -> None:
    settings = load(None, {"CHANNELD_STORAGE__DATABASE_URL": "postgresql://me:hunter2@db/x"})
    assert settings.storage.database_url == "postgresql://me:hunter2@db/x"
    assert "hunter2" not in repr(settings)


def test_every_default_keeps_its_own_rule() -> None:
    broken = [doc.name for doc in describe() if doc.rule and not doc.rule.holds(doc.default)]
    assert broken == []


def test_every_number_carries_its_unit_in_its_name() -> None:
    units = ("_bytes", "_seconds", "_ms", "_per_minute")
    bare = {doc.name for doc in describe() if isinstance(doc.default, int) and not doc.key.endswith(units)}
    assert bare == {
        "server.port",
        "server.workers",
        "index.page_records",
        "index.level_settled",
        "index.level_hurried",
        "index.level_rushed",
        "index.recompress_pages",
        "limits.archive_entries",
        "limits.archive_ratio",
        "webhooks.attempts",
        "webhooks.concurrency",
        "webhooks.most",
        "promotion.token_check_threads",
        "promotion.token_checks_waiting",
    }


def test_variables_are_unambiguous() -> None:
    docs = describe()
    assert len({doc.variable for doc in docs}) == len(docs)
    assert all(doc.variable.count("__") == 1 for doc in docs)


def test_nothing_in_the_settings_reads_the_environment_of_the_process() -> None:
    package = Path(sections.__file__).parent
    for module in package.glob("*.py"):
        names = {
            node.attr for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)
        }
        assert not names & {"environ", "environb", "getenv"}, module.name
