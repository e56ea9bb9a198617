"""A copy by hand takes exactly the bytes that were asked for, checked once more, from what the source shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import pytest

from channeld.catalog import channels, labels
from channeld.catalog.grants import ADMINISTRATOR, Grant
from channeld.catalog.selection import Selection
from channeld.promotion import handcopies
from channeld.promotion.applying import Applied, RequestsClosing
from channeld.promotion.requestplans import Caller, Fate
from channeld.promotion.requestreading import read_request
from tests.support.adminrequests import Told, quick_token, told
from tests.support.catalog import dump, relabel
from tests.support.instances import make_channel
from tests.support.promotion import PRODUCTION, STAGING, Bench, Build
from tests.support.server import grant

SOURCE = "someone"
ALPHA, BETA = Build("alpha"), Build("beta")
OTHER_ALPHA, OTHER_BETA = Build("alpha", content="other"), Build("beta", content="other")


@pytest.fixture
def source(stage: Bench) -> Bench:
    """Three channels: production, staging, and one of somebody else, with alpha under `main`, and beta under `rc`."""
    make_channel(stage.instance, SOURCE)
    stage.upload(ALPHA, channel=SOURCE)
    stage.upload(BETA, "rc", channel=SOURCE)
    return stage


def asked(*packages: tuple[str, str], label: str = "main") -> str:
    entries = ", ".join(f"{{package: {package}, sha256: {sha256}}}" for package, sha256 in packages)
    return f"{{action: cfep3_copy, anaconda_org_packages: [{entries}], to_anaconda_org_label: {label}}}"


FROM_ALPHA = (f"{SOURCE}/{ALPHA.key}", ALPHA.sha256)
FROM_BETA = (f"{SOURCE}/label/rc/{BETA.key}", BETA.sha256)
BOTH = asked(FROM_ALPHA, FROM_BETA)


def apply(
    stage: Bench, text: str, *, dry_run: bool = False, grants: Sequence[Grant] = (ADMINISTRATOR,)
) -> Applied:
    request = read_request(text.encode(), "yaml", "request.yml")
    caller = Caller(stage.actor(), tuple(grants))
    requests = stage.instance.requests
    if dry_run:
        return asyncio.run(requests.rehearse(request, PRODUCTION, caller))
    return asyncio.run(requests.apply(request, PRODUCTION, caller, quick_token))


def refused(stage: Bench, text: str, grants: Sequence[Grant] = (ADMINISTRATOR,)) -> list[Told]:
    """Apply what is refused, and see that a dry run says the same and that nothing changes."""
    before = dump(stage.instance.database)
    rehearsed = apply(stage, text, dry_run=True, grants=grants)
    applied = apply(stage, text, grants=grants)
    assert (applied.fate, told(applied)) == (Fate.REFUSED, told(rehearsed))
    assert dump(stage.instance.database) == before
    return told(applied)


def test_files_come_with_their_bytes_under_the_label_that_is_asked_for(source: Bench) -> None:
    before = dump(source.instance.database)
    rehearsed = apply(source, BOTH, dry_run=True)
    assert dump(source.instance.database) == before
    applied = apply(source, BOTH)
    alpha, beta = f"{SOURCE}/label/main/{ALPHA.key}", f"{SOURCE}/label/rc/{BETA.key}"
    assert told(rehearsed) == [(alpha, "would_be_done", ""), (beta, "would_be_done", "")]
    assert told(applied) == [(alpha, "done", ""), (beta, "done", "")]
    assert source.holds(PRODUCTION) == {
        ALPHA.key: (ALPHA.sha256, ("main",)),
        BETA.key: (BETA.sha256, ("main",)),
    }
    assert set(source.holds(SOURCE)) == {ALPHA.key, BETA.key}
    after = dump(source.instance.database)
    again = apply(source, BOTH)
    assert (again.fate, dump(source.instance.database)) == (Fate.UNCHANGED, after)


def test_what_is_there_under_another_label_gets_this_one(source: Bench) -> None:
    apply(source, BOTH)
    applied = apply(source, asked(FROM_ALPHA, label="rc"))
    assert applied.fate is Fate.DONE
    assert source.holds(PRODUCTION)[ALPHA.key] == (ALPHA.sha256, ("main", "rc"))


def test_of_several_candidates_the_one_that_is_meant_is_copied(stage: Bench) -> None:
    for build in (ALPHA, OTHER_ALPHA):
        stage.upload(build, "rc")
    stage.delete(ALPHA)
    text = asked((f"{STAGING}/label/rc/{ALPHA.key}", ALPHA.sha256))
    assert apply(stage, text).fate is Fate.DONE
    assert stage.holds(PRODUCTION) == {ALPHA.key: (ALPHA.sha256, ("main",))}
    assert stage.staged() == {OTHER_ALPHA.sha256}


def marked_broken(stage: Bench) -> None:
    stage.instance.database.write_now(
        lambda connection: relabel(
            connection, Selection(filename=BETA.filename), add=["broken"], channel=SOURCE
        )
    )


def with_other_bytes(stage: Bench) -> None:
    stage.upload(OTHER_BETA, "rc", channel=PRODUCTION)


def deleted_there(stage: Bench) -> None:
    stage.upload(BETA, channel=PRODUCTION)
    stage.delete(BETA, channel=PRODUCTION)


def damaged(stage: Bench) -> None:
    stage.damage(BETA)


def lost(stage: Bench) -> None:
    stage.instance.blobs.path(BETA.sha256).unlink()


def locked(stage: Bench) -> None:
    stage.instance.database.write_now(
        lambda connection: labels.configure(connection, PRODUCTION, "main", stage.actor(), locked=True)
    )


def nothing(_stage: Bench) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "package", "expected"),
    [
        (
            nothing,
            (FROM_BETA[0], ALPHA.sha256),
            f"The channel 'someone' has other bytes under {BETA.key}: sha256 {BETA.sha256} there, sha256 ",
        ),
        (
            nothing,
            (f"{SOURCE}/{BETA.key}", BETA.sha256),
            f"someone/{BETA.key} does not carry the label 'main'; it carries rc.",
        ),
        (
            nothing,
            (f"{SOURCE}/noarch/beta-2.0-0.conda", BETA.sha256),
            "The channel 'someone' has no file noarch/beta-2.0-0.conda.",
        ),
        (nothing, (f"nobody/{BETA.key}", BETA.sha256), "There is no channel 'nobody'."),
        (
            nothing,
            (f"{PRODUCTION}/{BETA.key}", BETA.sha256),
            "The file is in the channel 'conda-forge' itself.",
        ),
        (marked_broken, FROM_BETA, f"{BETA.key} is marked as broken in the channel 'someone'."),
        (
            with_other_bytes,
            FROM_BETA,
            f"The channel 'conda-forge' holds other bytes under {BETA.key}: sha256 {OTHER_BETA.sha256} there, sha256 ",
        ),
        (deleted_there, FROM_BETA, f"{BETA.key} was deleted from the channel 'conda-forge'."),
        (damaged, FROM_BETA, f"{BETA.key} has changed in the store (sha256 {BETA.sha256} was stored, "),
        (lost, FROM_BETA, f"{BETA.key} has lost its stored bytes (sha256 {BETA.sha256})."),
        (locked, FROM_BETA, "The label 'main' of the channel 'conda-forge' is locked."),
    ],
)
def test_what_is_not_in_order_is_refused_with_everything_else(
    source: Bench, prepare: Callable[[Bench], None], package: tuple[str, str], expected: str
) -> None:
    prepare(source)
    first, second = refused(source, asked(FROM_ALPHA, package))
    # the lock of the label keeps the other one out too
    assert first[1] == ("refused" if prepare is locked else "withheld")
    assert second[1] == "refused"
    assert second[2].startswith(expected)


def test_each_package_takes_the_right_to_upload_it_under_the_label(source: Bench) -> None:
    enough = grant("upload", channels=PRODUCTION, labels="main")
    for lacking in (
        grant("upload", channels=PRODUCTION, labels="rc"),
        grant("upload", channels=PRODUCTION, packages="alpha"),
        grant("upload", channels=SOURCE),
        grant("label", "configure", "admin"),
    ):
        assert refused(source, BOTH, grants=[lacking])[1][1] == "refused"
    assert apply(source, BOTH, grants=[enough]).fate is Fate.DONE


def test_of_a_private_channel_only_who_may_read_it_copies(source: Bench) -> None:
    source.instance.database.write_now(
        lambda connection: channels.configure(connection, SOURCE, {"private": True}, source.actor())
    )
    uploader = grant("upload", channels=PRODUCTION)
    for reader in (grant("read", channels="other"), grant("read", channels=SOURCE, labels="main")):
        ((_, fate, text),) = refused(source, asked(FROM_BETA), grants=[uploader, reader])
        assert (fate, "right 'read'" in text) == ("refused", True)
    readers = [uploader, grant("read", channels=SOURCE, labels="rc")]
    assert apply(source, asked(FROM_BETA), grants=readers).fate is Fate.DONE


def replaced(stage: Bench) -> None:
    stage.delete(BETA, channel=SOURCE)


def unlabelled(stage: Bench) -> None:
    stage.instance.database.write_now(
        lambda connection: relabel(
            connection, Selection(filename=BETA.filename), remove=["rc"], channel=SOURCE
        )
    )


@pytest.mark.parametrize("meanwhile", [replaced, unlabelled, with_other_bytes, lost, marked_broken])
def test_what_changes_while_bytes_are_read_is_refused(
    source: Bench, meanwhile: Callable[[Bench], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, state = handcopies.check, []

    def check_and_change(*arguments: Any) -> Any:
        checked = check(*arguments)
        meanwhile(source)
        state.append(dump(source.instance.database))
        return checked

    monkeypatch.setattr(handcopies, "check", check_and_change)
    applied = apply(source, BOTH)
    assert [step.fate for step in applied.steps] == [Fate.WITHHELD, Fate.REFUSED]
    assert [dump(source.instance.database)] == state


def test_bytes_that_nobody_read_are_not_copied(source: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handcopies, "check", lambda *_arguments: {})
    assert [step.rule for step in apply(source, BOTH).steps] == ["changed_meanwhile"] * 2
    assert source.holds(PRODUCTION) == {}


def test_a_server_that_stops_does_not_read_on(source: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    check, requests = handcopies.check, source.instance.requests

    def stop_and_check(*arguments: Any) -> Any:
        stopping = Thread(target=requests.close)
        stopping.start()
        while not requests._closing:
            time.sleep(0.001)
        return check(*arguments)

    monkeypatch.setattr(handcopies, "check", stop_and_check)
    before = dump(source.instance.database)
    for _ in range(2):
        with pytest.raises(RequestsClosing):
            apply(source, BOTH)
    assert dump(source.instance.database) == before
