"""Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body. Pure.

The receiver takes what the header ``webhook-signature`` says for true only if it can compute it itself, and only if
``webhook-timestamp`` is a few minutes old at most; then nobody else wrote it, and nobody sends it again later.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"
#: The bytes of a key.
RANDOM_BYTES: Final = 32


def new_secret(randomness: bytes) -> str:
    """Write a key as receivers are given it. ``randomness`` is ``RANDOM_BYTES`` from the operating system.

    Raises:
        ValueError: too little randomness.
    """
    if len(randomness) < RANDOM_BYTES:
        raise ValueError(f"A key takes {RANDOM_BYTES} random bytes, not {len(randomness)}.")
    return _PREFIX + base64.b64encode(randomness).decode()


def signed_headers(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the header fields that make a body a signed message. The time is that of the attempt, in seconds.

    Raises:
        ValueError: the secret is not one that ``new_secret`` makes.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{_signature(secret, message_id, timestamp_s, body)}",
    }


def _signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("The key of a webhook is not written as base64.") from None
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
