"""Which delivery of a webhook is sent next. Pure.

The deliveries of a webhook stand in line by the ids of their audit rows, and one is sent at a time. One that fails is
tried again in its place, and those behind it wait: so a receiver that is away for a moment gets everything in order.
One that has failed ``PATIENCE`` times, in about three minutes, is set aside: it comes again when its time has come,
and the line goes on. So a message that its receiver cannot take does not keep all others from it.

While a receiver is away for long, the pauses follow from the failures of the webhook, not of the single delivery:
few are set aside, and on its return nearly everything comes in order.
"""

from __future__ import annotations

from typing import Final

from channeld.catalog.deliveries import Delivery

#: Attempts that fail before a delivery is set aside.
PATIENCE: Final = 5


def choose(
    head: Delivery | None, aside: Delivery | None, now_ms: int, *, after_aside: bool = False
) -> Delivery | None:
    """Say what is sent now; None if everything has to wait.

    ``head`` is the first in line, ``aside`` the first of those set aside whose time has come. ``after_aside``: the
    last attempt was of one set aside, and failed; then it is the line's turn, however many of them there are.
    """
    first = head if head is not None and head.next_ms is not None and head.next_ms <= now_ms else None
    if first is None or aside is None:
        return first or aside
    return first if after_aside or first.audit_id < aside.audit_id else aside
