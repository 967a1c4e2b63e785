"""What officers do about declarations: the form of a deed, who may do it, and all that goes with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import RowMapping

from inspection_center import orders
from inspection_center.auth.permissions import Permission, Principal
from inspection_center.database.writer import Transaction
from inspection_center.declarations import handling, queries, receipts
from inspection_center.declarations.following import follow_order
from inspection_center.declarations.ordering import give
from inspection_center.declarations.states import Deed, State
from inspection_center.exchange.outbox import announce_release, announce_revocation
from inspection_center.problems import Unfit
from inspection_center.risk.cases import record_result
from inspection_center.supervision.events import emit
from inspection_contract.fields import RobotName, Sha256, Text, Word
from inspection_contract.signatures import SigningKey

OfficerDeed = Literal[
    "select", "pass_documents", "refer", "order", "cancel_order", "release", "release_with_follow_up", "hold",
    "inspect_again", "return", "spot_check", "fulfil", "recall", "file", "withdraw",
]  # fmt: skip
PERMISSION_OF: dict[str, Permission] = {
    "select": "declarations.dispatch",
    "order": "declarations.dispatch",
    "cancel_order": "declarations.dispatch",
    "spot_check": "declarations.dispatch",
    "pass_documents": "declarations.review",
    "refer": "declarations.review",
    "release": "declarations.decide",
    "release_with_follow_up": "declarations.decide",
    "hold": "declarations.decide",
    "inspect_again": "declarations.decide",
    "return": "declarations.decide",
    "fulfil": "declarations.decide",
    "recall": "declarations.decide",
    "file": "declarations.decide",
    "withdraw": "declarations.receive",
}
_RELEASES = ("pass_documents", "release", "release_with_follow_up")


class NewDeed(BaseModel):
    """A deed of an officer. An order needs who carries it out; a follow-up needs what is to be supervised."""

    model_config = ConfigDict(extra="forbid")

    deed: OfficerDeed
    reason: Text = ""
    inspector: Word = ""
    robot: RobotName | None = None
    due_minutes: Annotated[float, Field(gt=0, le=10_080, allow_inf_nan=False)] = 60.0
    place_name: Word = ""
    follow_up: Word = ""
    follow_up_days: Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)] = 30.0
    photos: Annotated[list[Sha256], Field(max_length=32)] = []
    """Pictures of the inspection that the public may see under the codes of the items."""

    @model_validator(mode="after")
    def _whole(self) -> NewDeed:
        if self.deed == "order" and not (self.inspector or self.robot):
            raise ValueError("an order needs an inspector or a robot")
        if self.deed == "release_with_follow_up" and not self.follow_up.strip():
            raise ValueError("a release with follow-up needs to say what is supervised")
        return self


def do(transaction: Transaction, key: SigningKey, officer: Principal, identity: str, wanted: NewDeed) -> State:
    """Do a deed and return the declaration's new state.

    Raises:
        NotFound: there is no such declaration, robot or inspector.
        Conflict: not possible now, or not for this officer.
        Unfit: a reason is missing, or a picture is not of this inspection.
    """
    row = handling.find(transaction, identity)
    deed = Deed(wanted.deed)
    if deed is Deed.ORDER:
        return give(
            transaction,
            key,
            officer,
            identity,
            inspectors=(wanted.inspector,) if wanted.inspector else (),
            robot=wanted.robot,
            due=timedelta(minutes=wanted.due_minutes),
            place_name=wanted.place_name,
            reason=wanted.reason,
        )
    if deed is Deed.CANCEL_ORDER:
        return _cancel_order(transaction, officer, row, wanted.reason)
    if wanted.deed in _RELEASES:
        return _release(transaction, key, officer, row, wanted)
    changes: dict[str, object] = {}
    if deed in (Deed.INSPECT_AGAIN, Deed.SPOT_CHECK):
        changes = {"order_id": None, "inspector": "", "result": ""}
    if deed is Deed.SPOT_CHECK:
        changes |= {"on_documents": False, "spot_check": "chosen"}
    state = handling.change(
        transaction, officer.actor, identity, deed, wanted.reason, person=officer.name, columns=changes
    )
    company = row["registration_number"]
    if deed in (Deed.SPOT_CHECK, Deed.RECALL):
        announce_revocation(transaction, identity, receipts.revoke(transaction, identity))
        emit(transaction, "release.revoked", officer, declaration=identity, company=company, reason=wanted.reason)
    if deed is Deed.RETURN or (deed is Deed.RECALL and row["state"] == State.FOLLOW_UP):
        record_result(transaction, officer.actor, identity, "failed", wanted.reason)
    if row["state"] == State.FOLLOW_UP:
        emit(
            transaction,
            "followup.done",
            officer,
            followup=identity,
            declaration=identity,
            company=company,
            unfit=deed is Deed.RECALL,
        )
    if deed is Deed.WITHDRAW:
        drawn = bool(row["draw"])
        emit(
            transaction,
            "declaration.withdrawn",
            officer,
            declaration=identity,
            company=company,
            after_draw=drawn,
            reason=wanted.reason,
        )
    return state


def _release(transaction: Transaction, key: SigningKey, officer: Principal, row: RowMapping, wanted: NewDeed) -> State:
    identity, deed = row["id"], Deed(wanted.deed)
    if row["result"] in ("failed", "incomplete") and not wanted.reason.strip():
        raise Unfit(f"the inspection is {row['result']}: a release needs a reason")
    shown = {one["sha256"]: one for one in queries.photos(transaction.connection, identity)}
    if unknown := [one for one in wanted.photos if one not in shown]:
        raise Unfit(f"{unknown[0][:12]}… is no picture of this inspection")
    on_documents = deed is Deed.PASS_DOCUMENTS
    conditional = deed is Deed.RELEASE_WITH_FOLLOW_UP
    follow_up = wanted.follow_up.strip() if conditional else ""
    state = handling.change(
        transaction,
        officer.actor,
        identity,
        deed,
        wanted.reason,
        person=officer.name,
        due=timedelta(days=wanted.follow_up_days) if conditional else None,
        details={"follow_up": follow_up} if conditional else None,
        columns={"on_documents": on_documents, "follow_up": follow_up},
    )
    under = "documents" if on_documents else "inspection"
    receipt = receipts.issue(transaction, key, row, under=under, follow_up=follow_up)
    receipts.publish_items(transaction, key, row, [shown[one] for one in wanted.photos])
    announce_release(transaction, receipt)
    if not on_documents:
        outcome: Literal["passed", "failed"] = "passed" if row["result"] == "passed" else "failed"
        record_result(transaction, officer.actor, identity, outcome, wanted.reason)
    emit(
        transaction,
        "release.given",
        officer,
        declaration=identity,
        company=row["registration_number"],
        order=row["order_id"] or "",
        kind="documents" if on_documents else "inspected",
        level=queries.level_of(row["risk"]),
        drawn=bool(row["draw"]),
    )
    if conditional:
        emit(
            transaction,
            "followup.opened",
            officer,
            followup=identity,
            declaration=identity,
            company=row["registration_number"],
        )
    return state


def _cancel_order(transaction: Transaction, officer: Principal, row: RowMapping, reason: str) -> State:
    if not reason.strip():
        raise Unfit("cancel_order needs a reason")
    if row["order_id"]:
        orders.cancel_order(transaction, officer, row["order_id"])
        follow_order(transaction, row["order_id"])
        return State(handling.find(transaction, row["id"])["state"])
    return handling.change(transaction, officer.actor, row["id"], Deed.CANCEL_ORDER, reason)
