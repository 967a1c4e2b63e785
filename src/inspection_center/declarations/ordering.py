"""Orders of declarations: to an officer's handheld or to a robot, with the duty of the goods for who carries it out."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from inspection_center import orders
from inspection_center.auth.permissions import PERMISSIONS, Principal
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.declarations import handling
from inspection_center.declarations.states import Deed, State, after
from inspection_center.problems import NotFound
from inspection_center.supervision.events import emit
from inspection_contract.signatures import SigningKey


def give(
    transaction: Transaction,
    key: SigningKey,
    giver: Principal,
    identity: str,
    *,
    inspectors: tuple[str, ...],
    robot: str | None,
    due: timedelta,
    place_name: str = "",
    reason: str = "",
) -> State:
    """Order the inspection of a declaration's goods.

    Args:
        transaction: of the writer.
        key: signs what a robot is told.
        giver: who orders it: a supervisor, or the center after a draw.
        identity: of the declaration.
        inspectors: account names; the first has the order on the handheld, all have the duty.
        robot: goes instead, or with them.
        due: until when.
        place_name: where.
        reason: why it is given by hand.

    Raises:
        NotFound: no such declaration, robot, or active officer.
        Conflict: not possible now, or not for these officers.
    """
    row = handling.find(transaction, identity)
    after(State(row["state"]), Deed.ORDER)
    sender = giver.name if giver.kind == "officer" else ""
    if sender:
        handling.take_duty(transaction, identity, "dispatch", sender)
    for name in inspectors:
        _check_inspector(transaction, name)
        handling.take_duty(transaction, identity, "goods", name)
    order = orders.give_order(
        transaction,
        key,
        giver,
        robot,
        "inspection",
        due,
        place_name=place_name,
        assignee=inspectors[0] if inspectors else "",
    )
    state = handling.change(
        transaction,
        giver.actor,
        identity,
        Deed.ORDER,
        reason,
        person=sender,
        due=due,
        details={"order": order, "inspectors": list(inspectors), "robot": robot or ""},
        columns={"order_id": order, "inspector": inspectors[0] if inspectors else "", "result": ""},
    )
    emit(
        transaction,
        "order.given",
        giver,
        order=order,
        kind="inspection",
        declaration=identity,
        company=row["registration_number"],
        robot=robot or "",
        officer=inspectors[0] if inspectors else "",
        due_minutes=due.total_seconds() / 60,
    )
    return state


def _check_inspector(transaction: Transaction, name: str) -> None:
    account = schema.account
    role = transaction.connection.execute(
        select(account.c.role).where(account.c.name == name, account.c.active)
    ).scalar()
    if role not in PERMISSIONS["orders.write"]:
        raise NotFound(f"there is no officer {name[:64]} who may inspect")
