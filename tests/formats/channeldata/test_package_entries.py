"""What channeldata.json says of one package name (CEP 38)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from channeld.formats.channeldata import package_entry
from tests.support.reference_files import SECOND, reference_file

FLAGS = {
    "activate.d": "activate_d",
    "binary_prefix": "binary_prefix",
    "deactivate.d": "deactivate_d",
    "post_link": "post_link",
    "pre_link": "pre_link",
    "pre_unlink": "pre_unlink",
    "text_prefix": "text_prefix",
}
NO_FLAGS = dict.fromkeys(FLAGS, False)


def test_the_least_that_can_be_said() -> None:
    assert package_entry([reference_file()]) == {
        **NO_FLAGS,
        "run_exports": {},
        "subdirs": ["linux-64"],
        "timestamp": SECOND,
        "version": "1.0",
    }


def test_all_that_can_be_said() -> None:
    about = {
        "description": "Long.\nAnd longer.\n",
        "dev_url": "https://dev",
        "doc_source_url": "https://doc/source",
        "doc_url": "https://doc",
        "home": "https://home",
        "icon_hash": "md5:abc:12",
        "icon_url": "https://icon",
        "identifiers": ["doi:10/x"],
        "keywords": ["math"],
        "license": "MIT",
        "recipe_origin": "https://recipe",
        "summary": " Short\nones ",
        "tags": ["a"],
    }
    file = reference_file(
        about={**about, "commits": 7, "root_pkgs": ["conda"], "conda_version": "4.5"},
        source={"url": "https://source", "git_url": "https://git", "git_tag": "v1"},
        run_exports={"weak": ["alpha >=1,<2"]},
        flags=FLAGS.values(),
    )
    assert package_entry([file]) == {
        **about,
        **dict.fromkeys(FLAGS, True),
        "description": "Long. And longer.",
        "summary": "Short ones",
        "run_exports": {"1.0": {"weak": ["alpha >=1,<2"]}},
        "source_git_url": "https://git",
        "source_url": "https://source",
        "subdirs": ["linux-64"],
        "timestamp": SECOND,
        "version": "1.0",
    }


def test_the_newest_version_speaks_first_whatever_its_time() -> None:
    old = reference_file("1.9", about={"summary": "old"}, seconds=SECOND + 60)
    new = reference_file("1.10", about={"summary": "new"}, seconds=SECOND)
    for order in itertools.permutations([old, new]):
        entry = package_entry(order)
        assert (entry["version"], entry["summary"], entry["timestamp"]) == ("1.10", "new", SECOND + 60)


def test_what_the_newest_version_does_not_say_the_next_newest_does() -> None:
    files = [
        reference_file("1.0", about={"home": "https://1", "license": "A"}),
        reference_file("2.0", about={"home": "https://2", "license": ""}),
        reference_file("3.0", about={"home": None}),
    ]
    for order in itertools.permutations(files):
        entry = package_entry(order)
        assert (entry["version"], entry["home"], entry["license"]) == ("3.0", "https://2", "A")


def test_of_one_version_in_several_subdirs_the_newest_file_speaks_then_the_first_subdir() -> None:
    linux = reference_file(subdir="linux-64", about={"summary": "linux"})
    osx = reference_file(subdir="osx-64", about={"summary": "osx"})
    win = reference_file(subdir="win-64", about={"summary": "win"}, seconds=SECOND + 1)
    for order in itertools.permutations([linux, osx]):
        assert package_entry(order)["summary"] == "linux"
    for order in itertools.permutations([linux, osx, win]):
        entry = package_entry(order)
        assert (entry["summary"], entry["subdirs"]) == ("win", ["linux-64", "osx-64", "win-64"])


@pytest.mark.parametrize(("flag", "fact"), FLAGS.items())
def test_a_flag_is_set_if_it_is_set_for_any_file(flag: str, fact: str) -> None:
    files = [reference_file("1.0", flags=[fact]), reference_file("2.0"), reference_file("2.0", "noarch")]
    entry = package_entry(files)
    assert {name: entry[name] for name in FLAGS} == {**NO_FLAGS, flag: True}


def test_run_exports_are_told_by_version_and_only_where_there_are_some() -> None:
    files = [
        reference_file("1.0", run_exports={"weak": ["alpha 1.*"]}),
        reference_file("2.0"),
        reference_file("3.0", "linux-64", run_exports={"strong": ["alpha 3.*"]}),
        reference_file("3.0", "noarch"),
    ]
    for order in itertools.permutations(files):
        assert package_entry(order)["run_exports"] == {
            "1.0": {"weak": ["alpha 1.*"]},
            "3.0": {"strong": ["alpha 3.*"]},
        }


def test_where_subdirs_export_different_things_the_last_one_by_name_tells() -> None:
    linux = reference_file(subdir="linux-64", run_exports={"weak": ["linux"]}, seconds=SECOND + 60)
    win = reference_file(subdir="win-64", run_exports={"weak": ["win"]})
    for order in itertools.permutations([linux, win]):
        assert package_entry(order)["run_exports"] == {"1.0": {"weak": ["win"]}}


def test_a_patched_record_goes_before_about_json() -> None:
    file = reference_file(about={"license": "Propietary"}, fields={"license": "Proprietary"})
    assert package_entry([file])["license"] == "Proprietary"


def test_a_version_that_cannot_be_parsed_never_is_the_newest() -> None:
    odd, plain = reference_file("2.0!x", about={"home": "https://odd"}), reference_file("0.1")
    entry = package_entry([odd, plain])
    assert (entry["version"], entry["home"]) == ("0.1", "https://odd")


@pytest.mark.parametrize(
    ("description", "said"),
    [(["two\n", "lines\n"], "two lines"), ("a\nb", "a b"), ("", None), (None, None), ([], None)],
)
def test_a_description_is_one_line(description: Any, said: str | None) -> None:
    entry = package_entry([reference_file(about={"description": description})])
    assert entry.get("description") == said


def test_a_list_of_sources_is_told_as_a_list() -> None:
    urls = ["https://a", "https://b"]
    assert package_entry([reference_file(source={"url": urls})])["source_url"] == urls
