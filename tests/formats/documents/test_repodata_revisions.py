"""What ``info.repodata_revisions`` may say (CEP 48)."""

from __future__ import annotations

import pytest

from channeld.formats.repodata import REVISION_MESSAGE_LIMIT, Revision, RevisionMessageTooLong


def test_what_is_not_known_is_left_out() -> None:
    assert Revision(0).document() == {"n_packages": 0}
    assert Revision(1, 5, 7, "Update your client.").document() == {
        "message": "Update your client.",
        "n_packages": 1,
        "newest": 7,
        "oldest": 5,
    }


def test_a_message_is_limited_in_bytes() -> None:
    longest = "é" * (REVISION_MESSAGE_LIMIT // 2)
    assert Revision(1, message=longest).document()["message"] == longest
    with pytest.raises(RevisionMessageTooLong) as rejected:
        Revision(1, message=longest + "!")
    assert rejected.value.size == 8193
    assert (
        str(rejected.value)
        == "The message of a repodata revision has 8193 bytes, more than 8192. Shorten it (CEP 48)."
    )
