"""Messages are signed as Standard Webhooks says, and can be checked as the documentation says."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from channeld.webhooks.signing import RANDOM_BYTES, new_secret, signed_headers
from tests.support.project import ROOT
from tests.support.webhooks import SECRET


def test_the_example_of_the_standard_gives_its_signature() -> None:
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def documented_check() -> Any:
    """Return the function that the documentation gives to receivers."""
    page = (ROOT / "docs/webhooks.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names["verify"]


def test_the_check_of_the_documentation_takes_what_is_ours_and_nothing_else() -> None:
    verify = documented_check()
    now = int(time.time())
    body = b'{"type":"ping"}'
    headers = signed_headers(SECRET, "msg_1", now, body)
    assert verify(SECRET, headers, body)
    assert not verify(SECRET, headers, body + b" ")
    assert not verify(SECRET, {**headers, "webhook-id": "msg_2"}, body)
    assert not verify(SECRET, {**headers, "webhook-timestamp": str(now + 1)}, body)
    assert not verify(new_secret(bytes(32)), headers, body)
    assert not verify(SECRET, signed_headers(SECRET, "msg_1", now - 3600, body), body)


def test_a_secret_takes_enough_randomness_and_shows_what_it_is() -> None:
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", new_secret(bytes(RANDOM_BYTES)))
    with pytest.raises(ValueError, match="32 random bytes"):
        new_secret(bytes(31))
    with pytest.raises(ValueError, match="base64"):
        signed_headers("whsec_*", "msg_1", 1, b"")
