"""Every mistake of an operator: where it is, what is wrong, and what was probably meant. Whole sentences."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from channeld.errors import Rejected
from channeld.settings import load
from channeld.settings.rejections import BadSetting

ADVICE = "Correct it or take it out; `channeld config docs` describes every key."

IN_FILE = {
    "[server]\nprot = 1": (
        "There is no key 'prot' in section [server], where the settings file 'channeld.toml' sets it; "
        f"the nearest known key is server.port. {ADVICE}"
    ),
    '[server]\ndata_dir = "x"': (
        "There is no key 'data_dir' in section [server], where the settings file 'channeld.toml' sets it; "
        f"the nearest known key is storage.data_dir. {ADVICE}"
    ),
    "port = 1": (
        "There is no key 'port' outside of the sections, where the settings file 'channeld.toml' sets it; "
        f"the nearest known key is server.port. {ADVICE}"
    ),
    "[sever]\nport = 1": (
        "There is no section 'sever', which the settings file 'channeld.toml' has; "
        f"the nearest known section is [server]. {ADVICE}"
    ),
    "server = 3": (
        "The setting server must be a section with keys, but the settings file 'channeld.toml' sets it to 3. "
        + ADVICE
    ),
    '[server]\nport = "8000"': (
        "The setting server.port must be a whole number from 0 to 65535, but the settings file 'channeld.toml' "
        f"sets it to '8000'. {ADVICE}"
    ),
    "[server]\nport = true": (
        "The setting server.port must be a whole number from 0 to 65535, but the settings file 'channeld.toml' "
        f"sets it to True. {ADVICE}"
    ),
    "[server]\nport = 70000": (
        "The setting server.port must be a whole number from 0 to 65535, but the settings file 'channeld.toml' "
        f"sets it to 70000. {ADVICE}"
    ),
    "[server]\nmax_upload_bytes = 0": (
        "The setting server.max_upload_bytes must be a whole number of at least 1, but the settings file "
        f"'channeld.toml' sets it to 0. {ADVICE}"
    ),
    '[server]\nhost = ""': (
        "The setting server.host must be a text that is not empty, but the settings file 'channeld.toml' "
        f"sets it to ''. {ADVICE}"
    ),
    "[storage]\ndata_dir = 1": (
        f"The setting storage.data_dir must be a path, but the settings file 'channeld.toml' sets it to 1. {ADVICE}"
    ),
    '[log]\nlevel = "loud"': (
        "The setting log.level must be debug, info, warning or error, but the settings file 'channeld.toml' "
        f"sets it to 'loud'. {ADVICE}"
    ),
    '[log]\nformat = "xml"': (
        "The setting log.format must be text or json, but the settings file 'channeld.toml' sets it to 'xml'. "
        + ADVICE
    ),
    '[server]\ntrusted_proxies = "10.0.0.0/8"': (
        "The setting server.trusted_proxies must be a list of networks in CIDR notation without host bits, such as "
        f"10.0.0.0/8, but the settings file 'channeld.toml' sets it to '10.0.0.0/8'. {ADVICE}"
    ),
    '[storage]\ndatabase_url = "mysql://me:hunter2@db"': (
        "The setting storage.database_url must be empty, or a URL that begins with sqlite:/// or postgresql://, but "
        f"the settings file 'channeld.toml' sets it to (hidden). {ADVICE}"
    ),
    "[server": (
        "The settings file 'channeld.toml' is not TOML: Expected ']' at the end of a table declaration (at end of "
        "document). Correct the file there; https://toml.io/en/v1.0.0 describes its syntax."
    ),
}

IN_ENVIRONMENT = {
    ("CHANNELD_SERVER__PROT", "1"): (
        "The environment variable CHANNELD_SERVER__PROT names no setting; the nearest variable that does is "
        f"CHANNELD_SERVER__PORT. {ADVICE}"
    ),
    ("CHANNELD_SERVER__port", "1"): (
        "The environment variable CHANNELD_SERVER__port names no setting; the nearest variable that does is "
        f"CHANNELD_SERVER__PORT. {ADVICE}"
    ),
    ("CHANNELD_SERVER__PORT", "http"): (
        "The setting server.port must be a whole number from 0 to 65535, but the environment variable "
        f"CHANNELD_SERVER__PORT sets it to 'http'. {ADVICE}"
    ),
    ("CHANNELD_SERVER__PORT", ""): (
        "The setting server.port must be a whole number from 0 to 65535, but the environment variable "
        f"CHANNELD_SERVER__PORT sets it to ''. {ADVICE}"
    ),
    ("CHANNELD_STORAGE__DATA_DIR", ""): (
        "The setting storage.data_dir must be a path, but the environment variable CHANNELD_STORAGE__DATA_DIR sets "
        f"it to ''. {ADVICE}"
    ),
    ("CHANNELD_STORAGE__DATABASE_URL", "mysql://me:hunter2@db"): (
        "The setting storage.database_url must be empty, or a URL that begins with sqlite:/// or postgresql://, but "
        f"the environment variable CHANNELD_STORAGE__DATABASE_URL sets it to (hidden). {ADVICE}"
    ),
}


@pytest.mark.parametrize("text", IN_FILE)
def test_a_mistake_in_the_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("channeld.toml").write_text(text)
    with pytest.raises(BadSetting) as caught:
        load(Path("channeld.toml"), {})
    assert str(caught.value) == IN_FILE[text]


@pytest.mark.parametrize(("variable", "text"), IN_ENVIRONMENT)
def test_a_mistake_in_the_environment(variable: str, text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load(None, {variable: text})
    assert str(caught.value) == IN_ENVIRONMENT[variable, text]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org", "example.org", "https://", "https://example.org/", "https://example.org/a/",
        "https://me:x@example.org", "https://example.org?a=b", "https://example.org#a", "https://exa mple.org",
        "https://example.org/a//b", "https://example.org:http",
    ],
)  # fmt: skip
def test_a_public_url_that_links_cannot_be_made_of(url: str) -> None:
    with pytest.raises(BadSetting, match="without credentials, query and final slash"):
        load(None, {"CHANNELD_SERVER__BASE_URL": url})


@pytest.mark.parametrize(
    "url", ["", "http://localhost:8000", "https://conda.example.org/a/b", "http://[::1]:80", "http://my_host"]
)
def test_a_public_url_that_is_one(url: str) -> None:
    assert load(None, {"CHANNELD_SERVER__BASE_URL": url}).server.base_url == url


@pytest.mark.parametrize(
    "subdirs", ["", "linux-64", "noarch,noarch", "noarch,Linux-64", "noarch,linux", "noarch,a-b-c", "noarch,"]
)
def test_initial_subdirs_that_no_client_could_use(subdirs: str) -> None:
    with pytest.raises(BadSetting, match="a list of different subdirs"):
        load(None, {"CHANNELD_INDEX__INITIAL_SUBDIRS": subdirs})


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8,,"])
def test_proxies_that_are_no_networks(networks: str) -> None:
    with pytest.raises(BadSetting, match="a list of networks"):
        load(None, {"CHANNELD_SERVER__TRUSTED_PROXIES": networks})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(BadSetting) as caught:
        load(path, {})
    assert str(caught.value) == (
        f"The settings file {str(path)!r} cannot be read: No such file or directory. "
        "Give the path of a readable TOML file, or none to run on the defaults."
    )


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "channeld.toml"
    path.write_bytes(b"# \xff")
    with pytest.raises(BadSetting, match="is not TOML: byte 2 is not UTF-8"):
        load(path, {})


def test_a_hostile_value_is_repeated_short_and_printable() -> None:
    with pytest.raises(BadSetting) as caught:
        load(None, {"CHANNELD_SERVER__PORT": "\x1b[2J\n" * 1000})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_mistake_is_a_rejection_with_data() -> None:
    with pytest.raises(Rejected) as caught:
        load(None, {"CHANNELD_SERVER__PORT": "x"})
    assert caught.value.code == "wrong_value"
    assert caught.value.detail() == {
        "setting": "server.port",
        "origin": "the environment variable CHANNELD_SERVER__PORT",
        "must": "a whole number from 0 to 65535",
        "found": "'x'",
    }
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_the_environment_of_the_test_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "CHANNELD_SERVER__PROT", "1")
    load(None, {})
