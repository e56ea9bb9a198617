"""Where a file exists in both formats, only the ``.conda`` counts, and tells of its ``.tar.bz2``."""

from __future__ import annotations

import orjson

from channeld.formats.current import current_record, current_repodata, render_current
from channeld.formats.repodata import RepodataInfo, Revision
from tests.support.records import filename, record, subdir_of

OLD_MD5, NEW_MD5 = "0" * 32, "1" * 32


def test_the_tar_bz2_of_a_conda_is_left_out() -> None:
    both, only = record("alpha", "2.0", "a"), record("alpha", "2.0", "b")
    sections = subdir_of(both, tar_bz2=(both, only))
    kept = current_repodata({section: records.items() for section, records in sections.items()})
    assert kept == {filename(both), filename(only, "tar.bz2")}


def test_the_conda_tells_the_md5_of_its_tar_bz2() -> None:
    conda, tar_bz2 = record("alpha", md5=NEW_MD5), record("alpha", md5=OLD_MD5)
    assert current_record(conda, tar_bz2) == conda | {"legacy_bz2_md5": OLD_MD5}


def test_a_conda_without_a_twin_stays_as_it_is() -> None:
    transmuted = record("alpha", legacy_bz2_md5=OLD_MD5)
    assert current_record(transmuted, None) == transmuted
    assert current_record(record("alpha"), record("alpha", md5=None)) == record("alpha")


def test_the_document_holds_what_is_kept_and_the_twins_md5() -> None:
    conda, tar_bz2 = record("alpha", "2.0", md5=NEW_MD5), record("alpha", "2.0", md5=OLD_MD5)
    old, only = record("alpha", "1.0"), record("beta")
    sections = subdir_of(conda, old, tar_bz2=(tar_bz2, only))
    kept = current_repodata({section: records.items() for section, records in sections.items()})
    info = RepodataInfo("linux-64", v3=Revision(7))
    assert orjson.loads(render_current(info, sections, kept, ["z-1-0.conda", "a-1-0.conda"])) == {
        "info": {"subdir": "linux-64"},
        "packages": {filename(only, "tar.bz2"): only},
        "packages.conda": {filename(conda): conda | {"legacy_bz2_md5": OLD_MD5}},
        "removed": ["a-1-0.conda", "z-1-0.conda"],
        "repodata_version": 1,
    }
