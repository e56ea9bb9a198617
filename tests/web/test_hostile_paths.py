"""Paths that were not made by a client of ours."""

from __future__ import annotations

import re

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.names import check_channel_name, check_label, check_subdir
from channeld.web.urls import RESERVED_CHANNEL_NAMES, Kind, parse, snapshot_point
from tests.support.edge import connected, serving

GOOD = "/lab/label/rc/noarch/repodata.json"
#: Every part is valid, at its greatest length, and encoded as nobody encodes it.
LONG = "/{0}/label/{0}/noarch/{1}-1{2}-0.conda".format("%61" * 128, "%61" * 64, "%2E%31" * 31)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("/", id="root"),
        pytest.param("//", id="two slashes"),
        pytest.param("lab/noarch/repodata.json", id="relative"),
        pytest.param("http://host/lab/noarch/repodata.json", id="absolute URL"),
        pytest.param("//lab/noarch/repodata.json", id="doubled slash in front"),
        pytest.param("/lab//noarch/repodata.json", id="doubled slash"),
        pytest.param("/lab/noarch//repodata.json", id="doubled slash before the file"),
        pytest.param("/lab/noarch/repodata.json/", id="slash after a document"),
        pytest.param("/lab/noarch/zlib-1.3-h1_0.conda/", id="slash after an artifact"),
        pytest.param("/lab/noarch//", id="two slashes after a folder"),
        pytest.param("/lab/./noarch/repodata.json", id="dot"),
        pytest.param("/lab/x/../noarch/repodata.json", id="dots"),
        pytest.param("/lab/%2e%2e/noarch/repodata.json", id="encoded dots"),
        pytest.param("/../etc/passwd", id="out of the root"),
        pytest.param("/lab/noarch/..%2frepodata.json", id="dots and encoded slash"),
        pytest.param("/lab%2Fnoarch/repodata.json", id="encoded slash"),
        pytest.param("/lab/noarch%2frepodata.json", id="encoded slash, lowercase"),
        pytest.param("/lab/label/a%2Fb/noarch/repodata.json", id="encoded slash in a label"),
        pytest.param("%2Flab/noarch/repodata.json", id="encoded slash in front"),
        pytest.param("/lab/noarch/%72epodata%252Ejson", id="encoded twice"),
        pytest.param("/lab/label/a%252Fb/noarch/repodata.json", id="slash encoded twice"),
        pytest.param("/%25%36%63ab/noarch/repodata.json", id="encoding encoded"),
        pytest.param("/lab/noarch/repodata.json%00", id="NUL at the end"),
        pytest.param("/lab/noarch/repodata.json%00.conda", id="NUL inside"),
        pytest.param("/lab/noarch/repodata.json\x00", id="raw NUL"),
        pytest.param("/lab/noarch/repodata.json%0A", id="newline at the end"),
        pytest.param("/lab%0d%0aX: y/noarch/repodata.json", id="header injection"),
        pytest.param("/lab\\noarch\\repodata.json", id="backslashes"),
        pytest.param("/lab%5Cnoarch/repodata.json", id="encoded backslash"),
        pytest.param("/lab/%C0%AE%C0%AE/noarch/repodata.json", id="overlong dots"),
        pytest.param("/lab%C0%AFnoarch/repodata.json", id="overlong slash"),
        pytest.param("/l%C3%A4b/noarch/repodata.json", id="encoded umlaut"),
        pytest.param("/läb/noarch/repodata.json", id="raw umlaut"),
        pytest.param("/lab/noarch/repodata.json\u2028", id="line separator"),
        pytest.param("/lab/noarch/repodata\udcff.json", id="undecodable byte"),
        pytest.param("/lab/noarch/repodata.json%", id="percent sign"),
        pytest.param("/lab/noarch/repodata.json%zz", id="no hex digits"),
        pytest.param("/lab/noarch/repodata.json%2", id="one hex digit"),
        pytest.param("/lab/noarch/repodata%u002Ejson", id="encoding of old browsers"),
        pytest.param("/lab/noarch/repodata.json?x=1", id="query"),
        pytest.param("/lab/noarch/repodata.json#x", id="fragment"),
        pytest.param("/lab;v=1/noarch/repodata.json", id="matrix parameter"),
        pytest.param("/lab/noarch/repodata.json ", id="space"),
        pytest.param("/lab/noarch/repodata.json%20", id="encoded space"),
        pytest.param("/LAB/noarch/repodata.json", id="other case of the channel"),
        pytest.param("/lab/noarch/Repodata.json", id="other case of the document"),
        pytest.param("/lab/NOARCH/repodata.json", id="other case of the subdir"),
        pytest.param("/lab/linux-64-x/repodata.json", id="no subdir"),
        pytest.param("/lab/noarch/repodata.json.bz2", id="unknown document"),
        pytest.param("/lab/noarch/.htaccess", id="hidden file"),
        pytest.param("/%74/ab-12/lab/noarch/repodata.json", id="encoded keyword of the token"),
        pytest.param("/lab/" + "a/" * 600 + "noarch/repodata.json", id="too long"),
        pytest.param(LONG, id="too long when encoded"),
        pytest.param("/lab/label/" + "a" * 129 + "/noarch/repodata.json", id="long label"),
        pytest.param("/" + "a" * 129 + "/noarch/repodata.json", id="long channel"),
        pytest.param("/lab/noarch/" + "a" * 200 + "-1.0-0.conda", id="long file name"),
    ],
)
def test_a_hostile_path_names_nothing(path: str) -> None:
    assert parse(path) is None


def test_percent_encoding_is_undone_once() -> None:
    assert parse("/l%61b/l%61bel/r%63/no%61rch/repodata%2Ejson") == parse(GOOD)
    assert parse("/lab/noarch/x-1%212.0%2Blocal-0.conda") == parse("/lab/noarch/x-1!2.0+local-0.conda")


PIECES = st.sampled_from(
    [
        *(
            "/",
            "//",
            "t",
            "ab-12",
            "lab",
            "label",
            "snapshot",
            "7",
            "2026-01-01",
            "rc",
            "a.b",
            "main",
            "nolabel",
        ),
        *(
            "noarch",
            "linux-64",
            "shards",
            "0" * 64 + ".msgpack.zst",
            "repodata.json",
            "channeldata.json",
            "index.html",
        ),
        *(
            "zlib-1.3-0.conda",
            "..",
            ".",
            "%2F",
            "%2e",
            "%25",
            "%00",
            "\\",
            "ä",
            "%C0%AF",
            "?",
            "#",
            " ",
            "\n",
        ),
    ]
)
PATHS = st.one_of(
    st.text(),
    st.lists(st.one_of(PIECES, st.text(max_size=3))).map("".join),
    st.lists(PIECES).map(lambda parts: "/" + "/".join(parts)),
)


@given(path=PATHS)
@settings(deadline=None, max_examples=500)
def test_whatever_is_parsed_has_valid_parts_and_one_path(path: str) -> None:
    found = parse(path)
    if found is None:
        return

    assert check_channel_name(found.channel) == found.channel
    assert found.channel not in RESERVED_CHANNEL_NAMES
    assert check_label(found.label) == found.label
    assert found.subdir is None or check_subdir(found.subdir) == found.subdir
    assert found.snapshot is None or snapshot_point(found.snapshot) is not None
    assert found.token is None or re.fullmatch(r"[A-Za-z0-9-]{2,255}", found.token)
    assert re.fullmatch(r"[A-Za-z0-9._/:+!~-]+", found.path)
    assert {"", ".", ".."}.isdisjoint(found.path[1:].removesuffix("/").split("/"))
    again = parse(found.path)
    assert again is not None
    assert again.path == found.path
    if found.kind is not Kind.PAGE_WITHOUT_SLASH:
        assert again == found


@given(path=PATHS.filter(lambda path: len(path) < 200))
@settings(deadline=None)
def test_a_path_and_its_percent_encoded_letters_name_the_same(path: str) -> None:
    # The token is left alone: it is compared as it was sent.
    encoded = re.sub(r"(?<![%0-9a-fA-F])[g-su-z]", lambda found: f"%{ord(found[0]):02x}", path)

    assert parse(encoded) == parse(path)


async def test_the_raw_path_of_aiohttp_is_the_path_as_it_was_sent() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.rel_url.raw_path)

    sent = "/a/../b//%2e%2e/%2F%252F;x=%zz/\\?q=/../#f"
    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(f"GET {sent} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()

    assert answer.partition(b"\r\n\r\n")[2] == b"/a/../b//%2e%2e/%2F%252F;x=%zz/\\"
