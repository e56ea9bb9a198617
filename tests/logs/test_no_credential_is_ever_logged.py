"""Whatever form a credential takes on its way into an event, it does not come out."""

from __future__ import annotations

import io
import json
import logging
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.logs import HIDDEN, configure, redact
from channeld.settings.sections import Log

SECRET = "s3cr3t-0123456789"

HOSTILE = [
    f"GET /t/{SECRET}/conda-forge/noarch/repodata.json",
    f"GET /t/{SECRET}",
    f"GET //t//{SECRET}//conda-forge",
    f"GET /t/./{SECRET}/conda-forge",
    f"GET /t/../t/{SECRET}/conda-forge",
    f"GET /t/%2e%2E/{SECRET}/conda-forge",
    f"GET /T/{SECRET}/conda-forge",
    f"GET /%74/{SECRET}/conda-forge",
    f"GET /t/%74/{SECRET}/conda-forge",
    f"GET /t%2F{SECRET}%2Fconda-forge",
    f"GET %252Ft%252F{SECRET}%252Fconda-forge",
    f"http://localhost:8000/t/{SECRET}?a=b",
    f"'/t/{SECRET}', 'x'",
    f"Authorization: Bearer {SECRET}",
    f"authorization:Basic {SECRET}==",
    f"AUTHORIZATION: token {SECRET}",
    f"Authorization: {SECRET}",
    f"Authorization: Bearer\r\n {SECRET}\r\n\t{SECRET}",
    f'Authorization: Digest username="me", response="{SECRET}"',
    f"Proxy-Authorization: Basic {SECRET}",
    f"<CIMultiDictProxy('Host': 'x', 'Authorization': 'Bearer {SECRET}')>",
    f"((b'Authorization', b'Bearer {SECRET}'), (b'Accept', b'*/*'))",
    f'{{"headers": {{"Authorization": "token {SECRET}"}}}}',
    f'"{{\\"Authorization\\": \\"Digest a=\\\\\\"{SECRET}\\\\\\"\\"}}"',
    f"'Authorization': 'it\\'s {SECRET}'",
    f"Authorization%3A%20Bearer%20{SECRET}",
    f"Authorization: Bearer '{SECRET}",
    f"the header said bearer {SECRET}",
    f"the header said Basic {SECRET}",
    f"X-API-Key: {SECRET}",
    f"x-api-key={SECRET}",
    f"X-Auth-Token: {SECRET}",
    f"FEEDSTOCK_TOKEN: {SECRET}",
    f"Cookie: a=b; session={SECRET}",
    f"Set-Cookie: session={SECRET}; Path=/",
    f"GET /upload?token={SECRET}&force=true",
    f"GET /upload?a=1&access_token={SECRET}",
    f"GET /upload?TOKEN={SECRET}#top",
    f"GET /upload%3Ftoken%3D{SECRET}%26force%3Dtrue",
    f"token = {SECRET}",
    f"token={SECRET}\x00{SECRET}",
    f"token=b{SECRET}",
    f"{{'token': b'{SECRET}'}}",
    f'{{"token":"{SECRET}","name":"x"}}',
    f"PUT /bucket?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}&X-Amz-Security-Token={SECRET}",
    f"aws_secret_access_key={SECRET}",
    f"https://me:{SECRET}@example.org/channel",
    f"https://{SECRET}@example.org/channel",
    f"postgresql://me:{SECRET}@db/channeld",
    f"postgresql+psycopg://me:{SECRET}/with@signs@db/channeld",
    f"password={SECRET}",
    f"[parameters: ('abc', 'https://example.org/', 'whsec_{SECRET}')]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_credential_is_hidden_in_every_notation(text: str) -> None:
    assert SECRET not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize("format_name", ["text", "json"])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.usefixtures("logging_restored")
def test_a_credential_is_hidden_wherever_it_enters_an_event(text: str, format_name: str) -> None:
    stream = io.StringIO()
    configure(Log(format="json" if format_name == "json" else "text"), stream)
    logger = logging.getLogger("hostile")
    logger.info(text)
    logger.info("as an argument: %s", text)
    logger.info("as %d bad arguments", text)
    logger.info("as a field", extra={"note": text, "nested": {"list": [text, {text: text.encode()}]}})
    logger.info("as a field", extra={"deep": [[[[[[text]]]]]], "object": ValueError(text)})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("as an error")
    written = stream.getvalue()
    assert SECRET not in written
    assert len(written.splitlines()) == 6


@pytest.mark.usefixtures("logging_restored")
def test_a_field_with_the_name_of_a_credential_is_hidden_whole() -> None:
    stream = io.StringIO()
    configure(Log(format="json"), stream)
    logging.getLogger("x").info(
        "called", extra={"token": SECRET, "headers": {"X-Api-Key": SECRET, "Cookie": SECRET, "Host": "a"}}
    )
    event = json.loads(stream.getvalue())
    assert event["token"] == HIDDEN
    assert event["headers"] == {"X-Api-Key": HIDDEN, "Cookie": HIDDEN, "Host": "a"}


@pytest.mark.usefixtures("logging_restored")
def test_an_event_that_cannot_be_written_is_not_printed_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure(Log(), stream)
    stream.close()
    logging.getLogger("x").info("to a closed stream: token=%s", SECRET)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "GET /conda-forge/noarch/repodata.json.zst",
        "GET /t",
        "GET /conda-forge/label/t/x/repodata.json",
        "Token 17 (ci-linux) was used 3 times.",
        "The tokens are 3; token_id=12",
        "https://example.org:8000/channel/linux-64",
        "me@example.org wrote to you@example.org",
        "The password of nobody was wrong",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    if "/label/t/" in text:
        # Below a folder called t, any word may be a token: more is hidden than has to be.
        assert redact(text) == f"GET /conda-forge/label/t/{HIDDEN}/repodata.json"
    else:
        assert redact(text) == text


def test_the_words_around_a_credential_stay() -> None:
    assert redact(f"GET /t/{SECRET}/main/noarch/x.conda?token={SECRET}&force=1 HTTP/1.1") == (
        f"GET /t/{HIDDEN}/main/noarch/x.conda?token={HIDDEN}&force=1 HTTP/1.1"
    )
    assert redact(f"no answer from postgresql://me:{SECRET}@db:5432/x") == (
        f"no answer from postgresql://{HIDDEN}@db:5432/x"
    )


@settings(deadline=None, max_examples=200)
@given(
    before=st.text(max_size=20),
    token=st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-", min_size=8, max_size=60),
    after=st.text(max_size=20),
    rounds=st.integers(0, 2),
)
def test_a_token_in_a_path_is_hidden_between_any_other_text(
    before: str, token: str, after: str, rounds: int
) -> None:
    path = f"/t/{token}/channel"
    for _ in range(rounds):
        path = quote(path, safe="")
    assert f"/t/{token}" not in redact(f"{before}{path}{after}")
    assert token not in redact(f"{path}{after}") or token in after


@pytest.mark.parametrize(
    "piece",
    ["/t/", "/t//", "%252ft", "%25", "token ", "token=", "token:'", 'token"', "authorization:", "postgres://",
     "://", "a@", "\\", "bearer ", "/t/.", "cookie='\\'", "token=\\"],
)  # fmt: skip
def test_a_hostile_line_costs_no_more_than_its_length(piece: str) -> None:
    # Quadratic work on 400,000 characters would take minutes.
    started = time.monotonic()
    redact(piece * (400_000 // len(piece)))
    assert time.monotonic() - started < 5
