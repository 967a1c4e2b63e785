"""What may become of a declaration: one table of states and deeds, and no way around it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from inspection_center.problems import Conflict


class State(StrEnum):
    """Where a declaration stands."""

    RECEIVED = "received"
    SCORED = "scored"
    IN_REVIEW = "in_review"
    """Its documents are looked at; without an objection it is released on them."""
    SELECTED = "selected"
    """Its goods will be inspected."""
    ORDERED = "ordered"
    INSPECTING = "inspecting"
    INSPECTED = "inspected"
    """The steps are finished; somebody else decides."""
    HELD = "held"
    RELEASED = "released"
    FOLLOW_UP = "follow_up"
    """Released under a condition that is still supervised."""
    RECALLED = "recalled"
    """Released before, but the condition was broken or something was learnt since."""
    FILED = "filed"
    RETURNED = "returned"
    """Sent back or destroyed."""
    WITHDRAWN = "withdrawn"


class Deed(StrEnum):
    """What somebody, or the center itself, does about a declaration."""

    SCORE = "score"
    REVIEW = "review"
    """It was not drawn: its documents are to be reviewed."""
    SELECT = "select"
    PASS_DOCUMENTS = "pass_documents"
    REFER = "refer"
    """The documents raise a doubt that only the goods can settle."""
    ORDER = "order"
    BEGIN = "begin"
    FINISH = "finish"
    CANCEL_ORDER = "cancel_order"
    RELEASE = "release"
    RELEASE_WITH_FOLLOW_UP = "release_with_follow_up"
    HOLD = "hold"
    INSPECT_AGAIN = "inspect_again"
    RETURN = "return"
    SPOT_CHECK = "spot_check"
    """A release on documents is checked against the goods after all."""
    FULFIL = "fulfil"
    RECALL = "recall"
    FILE = "file"
    WITHDRAW = "withdraw"


FINAL_STATES = frozenset({State.FILED, State.RETURNED, State.WITHDRAWN})
RELEASED_STATES = frozenset({State.RELEASED, State.FOLLOW_UP, State.FILED})
"""The goods may leave."""

TRANSITIONS: dict[State, dict[Deed, State]] = {
    State.RECEIVED: {Deed.SCORE: State.SCORED, Deed.WITHDRAW: State.WITHDRAWN},
    State.SCORED: {
        Deed.SCORE: State.SCORED,
        Deed.REVIEW: State.IN_REVIEW,
        Deed.SELECT: State.SELECTED,
        Deed.WITHDRAW: State.WITHDRAWN,
    },
    State.IN_REVIEW: {
        Deed.PASS_DOCUMENTS: State.RELEASED,
        Deed.REFER: State.SELECTED,
        Deed.SELECT: State.SELECTED,
        Deed.HOLD: State.HELD,
        Deed.WITHDRAW: State.WITHDRAWN,
    },
    State.SELECTED: {Deed.ORDER: State.ORDERED},
    State.ORDERED: {
        Deed.BEGIN: State.INSPECTING,
        Deed.FINISH: State.INSPECTED,
        Deed.CANCEL_ORDER: State.SELECTED,
    },
    State.INSPECTING: {Deed.FINISH: State.INSPECTED, Deed.CANCEL_ORDER: State.SELECTED},
    State.INSPECTED: {
        Deed.RELEASE: State.RELEASED,
        Deed.RELEASE_WITH_FOLLOW_UP: State.FOLLOW_UP,
        Deed.HOLD: State.HELD,
        Deed.INSPECT_AGAIN: State.SELECTED,
        Deed.RETURN: State.RETURNED,
    },
    State.HELD: {
        Deed.RELEASE: State.RELEASED,
        Deed.RELEASE_WITH_FOLLOW_UP: State.FOLLOW_UP,
        Deed.INSPECT_AGAIN: State.SELECTED,
        Deed.RETURN: State.RETURNED,
    },
    State.RELEASED: {Deed.FILE: State.FILED, Deed.SPOT_CHECK: State.SELECTED, Deed.RECALL: State.RECALLED},
    State.FOLLOW_UP: {Deed.FULFIL: State.FILED, Deed.RECALL: State.RECALLED},
    State.RECALLED: {Deed.INSPECT_AGAIN: State.SELECTED, Deed.RETURN: State.RETURNED},
    State.FILED: {},
    State.RETURNED: {},
    State.WITHDRAWN: {},
}

Duty = Literal["documents", "dispatch", "goods", "decision"]
DUTIES: dict[Deed, Duty] = {
    Deed.PASS_DOCUMENTS: "documents",
    Deed.REFER: "documents",
    Deed.ORDER: "dispatch",
    Deed.SELECT: "dispatch",
    Deed.RELEASE: "decision",
    Deed.RELEASE_WITH_FOLLOW_UP: "decision",
    Deed.HOLD: "decision",
    Deed.INSPECT_AGAIN: "decision",
    Deed.RETURN: "decision",
}
"""Which deed of an officer counts as which duty; the duty `goods` is that of who an order goes to."""
NEEDS_REASON = frozenset(
    {Deed.REFER, Deed.HOLD, Deed.INSPECT_AGAIN, Deed.RETURN, Deed.RECALL, Deed.WITHDRAW, Deed.CANCEL_ORDER}
)


def after(state: State, deed: Deed) -> State:
    """The state a deed leads to.

    Raises:
        Conflict: the deed is not possible in this state.
    """
    try:
        return TRANSITIONS[state][deed]
    except KeyError:
        possible = ", ".join(TRANSITIONS[state]) or "nothing"
        raise Conflict(f"a declaration that is {state} allows {possible}, not {deed}") from None


def duty_of(deed: Deed, state: State) -> Duty | None:
    """The duty that doing a deed in a state counts as; None when it counts as none."""
    if deed is Deed.HOLD and state is State.IN_REVIEW:
        return "documents"
    return DUTIES.get(deed)
