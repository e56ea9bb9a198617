"""Channel names: one path component of CEP 26, "Channel base URLs"."""

from __future__ import annotations

import pytest

from channeld.formats.names import check_channel_name
from channeld.formats.rejections import ChannelNameIsSubdir, ChannelNameMalformed, IdentifierTooLong


@pytest.mark.parametrize("channel", ["main", "conda-forge", "_x", "7", "a.b", "a..b", "x" * 128])
def test_path_components_of_cep_26_are_channel_names(channel: str) -> None:
    assert check_channel_name(channel) == channel


@pytest.mark.parametrize("channel", ["", "Main", "a/b", ".a", "-a", "..", "a b", "a\n", "~a", "é", "a%2fb"])
def test_other_texts_are_no_channel_names(channel: str) -> None:
    with pytest.raises(ChannelNameMalformed):
        check_channel_name(channel)


@pytest.mark.parametrize("channel", ["noarch", "linux-64"])
def test_a_channel_must_not_be_called_like_a_subdir(channel: str) -> None:
    with pytest.raises(ChannelNameIsSubdir):
        check_channel_name(channel)


def test_a_channel_name_of_129_characters_is_too_long() -> None:
    with pytest.raises(IdentifierTooLong):
        check_channel_name("x" * 129)
