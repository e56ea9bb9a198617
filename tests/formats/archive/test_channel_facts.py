"""What channeldata.json needs of a package (CEP 38), told alike for both formats."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from channeld.formats.archive.facts import ChannelFacts, channel_facts, read_channel_facts
from channeld.formats.names import FileName
from channeld.formats.rejections import BadArchive
from tests.support.archives import CONDA, TAR_BZ2
from tests.support.packages import build_conda, build_tar_bz2


def facts(info: dict[str, bytes | None] | None = None) -> ChannelFacts:
    conda = read_channel_facts(io.BytesIO(build_conda("alpha", info=info)), FileName.parse(CONDA))
    tar_bz2 = read_channel_facts(io.BytesIO(build_tar_bz2("alpha", info=info)), FileName.parse(TAR_BZ2))
    assert conda == tar_bz2
    return conda


def of_paths(*paths: dict[str, Any]) -> ChannelFacts:
    return channel_facts({"info/paths.json": json.dumps({"paths": paths}).encode()})


def of_recipe(recipe: bytes) -> Any:
    return channel_facts({"info/recipe/meta.yaml": recipe}).source


def test_a_plain_package() -> None:
    about = {"home": "https://example.org/alpha", "summary": "A test package"}
    assert facts() == ChannelFacts(about=about, source={})


def test_only_what_channeldata_has_is_kept_of_about_json() -> None:
    about = {
        "description": "d",
        "license": "MIT",
        "tags": ["a"],
        "home": "",
        "root_pkgs": ["x"] * 100,
        "extra": {"a": 1},
    }
    assert facts({"about.json": json.dumps(about).encode()}).about == {
        "description": "d",
        "license": "MIT",
        "tags": ["a"],
    }


@pytest.mark.parametrize("about", [None, b"", b"[]", b"{", b'{"home": ' + b"[" * 500 + b"]" * 500 + b"}"])
def test_a_broken_about_json_says_nothing(about: bytes | None) -> None:
    assert facts({"about.json": about}).about == {}


def test_a_very_long_field_is_left_out() -> None:
    about = json.dumps({"description": "x" * 70_000, "summary": "short"}).encode()
    assert facts({"about.json": about}).about == {"summary": "short"}


@pytest.mark.parametrize(
    ("entry", "flags"),
    [
        ({"_path": "bin/x"}, {}),
        ({"_path": "bin/x", "prefix_placeholder": "/opt", "file_mode": "binary"}, {"binary_prefix": True}),
        ({"_path": "bin/x", "prefix_placeholder": "/opt", "file_mode": "text"}, {"text_prefix": True}),
        ({"_path": "bin/x", "prefix_placeholder": "/opt"}, {}),
        ({"_path": "bin/x", "prefix_placeholder": "", "file_mode": "text"}, {}),
        ({"_path": "etc/conda/activate.d/a.sh"}, {"activate_d": True}),
        ({"_path": "etc/conda/deactivate.d/a.sh"}, {"deactivate_d": True}),
        ({"_path": "share/etc/conda/activate.d/a.sh"}, {}),
        ({"_path": "bin/.alpha-post-link.sh"}, {"post_link": True}),
        ({"_path": "Scripts/.alpha-pre-link.bat"}, {"pre_link": True}),
        ({"_path": "bin/.alpha-pre-unlink.sh"}, {"pre_unlink": True}),
        ({"_path": ".alpha-post-link.sh"}, {}),
        ({"_path": "bin/alpha-post-link.sh"}, {}),
        ({"_path": "bin/.alpha-post-link"}, {}),
    ],
)
def test_what_an_installation_does_besides_linking(entry: dict[str, Any], flags: dict[str, bool]) -> None:
    assert of_paths(entry, {"_path": "share/x"}) == ChannelFacts(about={}, source={}, **flags)


@pytest.mark.parametrize(
    "paths", [b"", b"[]", b'{"paths": 1}', b'{"paths": [1, {}, {"_path": 2}]} etc/conda/']
)
def test_a_broken_paths_json_says_nothing(paths: bytes) -> None:
    assert channel_facts({"info/paths.json": paths}) == ChannelFacts({}, {})


@pytest.mark.parametrize(
    ("recipe", "source"),
    [
        (b"", {}),
        (b"package:\n  name: x\n", {}),
        (b"source:\n  url: https://a\n  sha256: b\n", {"url": "https://a"}),
        (
            b"package:\n  name: x\n\nsource:\n  url:\n    - https://a\n    - https://b\n\nbuild:\n  number: 0\n",
            {"url": ["https://a", "https://b"]},
        ),
        (
            b"source:\n  git_url: https://g\n  git_tag: 1.0\n  git_rev: 0e1\n",
            {"git_url": "https://g", "git_tag": "1.0", "git_rev": "0e1"},
        ),
        (
            b"source:\n- url: https://a\n- git_url: https://b\n# comment\n\n- url: https://c\nbuild: {}\n",
            {"url": ["https://a", "https://c"]},
        ),
        (b"source: {url: https://a}\r\nbuild:\r\n", {"url": "https://a"}),
        (b"source:\n  path: ../x\n", {}),
        (b"source:\n  url: https://a/{{ version }}.tar.gz\n", {}),
        (b"source:\n", {}),
        (b"source: null\n", {}),
        (b"about:\n  source:\n    url: x\n", {}),
        (b"source:\n  url: [a, {b: c}, ~]\n", {"url": ["a"]}),
        (b"source: &s\n  url: https://a\nother: *s\n", {"url": "https://a"}),
        (b"source:\n  url: *anchor\n", {}),
        (b"source:\n  url: 'unclosed\n", {}),
        (b"source:\n  url: \xff\n", {}),
    ],
)
def test_the_source_of_a_recipe(recipe: bytes, source: dict[str, Any]) -> None:
    assert of_recipe(recipe) == source


def test_the_first_recipe_of_the_archive_counts() -> None:
    first = {
        "info/meta.yaml": b"source:\n  url: first\n",
        "info/recipe/meta.yaml": b"source:\n  url: second\n",
    }
    assert channel_facts(first).source == {"url": "first"}
    assert channel_facts(dict(reversed(first.items()))).source == {"url": "second"}


@pytest.mark.parametrize(
    "attack",
    [
        b"source: " + b"[" * 60_000,
        b"source:\n" + b"  - [x]\n" * 8000,
        b"source:\n  a0: &a0 {x: 1}\n" + b"".join(
            b"  a%d: &a%d {<<: [%s]}\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 8)) for n in range(1, 9)
        ),
        b"source:\n  url: " + b"x" * 100_000,
        b"source:\n" + b"\n" * 1_000_000,
    ],
)  # fmt: skip
def test_yaml_that_is_an_attack_costs_little_and_says_nothing(attack: bytes) -> None:
    started = time.perf_counter()
    assert of_recipe(attack) == {}
    assert time.perf_counter() - started < 1


def test_an_archive_that_is_refused_has_no_facts() -> None:
    with pytest.raises(BadArchive):
        read_channel_facts(io.BytesIO(b""), FileName.parse(CONDA))
