"""Declarations over a real center, on both databases: the whole way, its refusals, restart, roles, receipts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, text, update

from inspection_center.audit.log import sign_checkpoint
from inspection_center.auth.permissions import PERMISSIONS, Principal
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.declarations import queries, receipts
from inspection_center.declarations.automatic import accept, choose_spot_checks, chosen_for_spot_check, work
from inspection_center.declarations.following import follow_order
from inspection_center.declarations.model import NewDeclaration
from inspection_center.declarations.officers import PERMISSION_OF, NewDeed, do
from inspection_center.declarations.tables import declaration
from inspection_center.exchange.tables import outgoing
from inspection_center.problems import Conflict, NotFound, Problem, Unfit
from inspection_center.public.items import find_item
from inspection_center.service import Center
from inspection_center.settings import Settings
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import VerifyKey
from tests.center.running import RunningCenter

T = TypeVar("T")
VIN = "1M8GDM9AXKP042788"
PHOTO = {"sha256": hashlib.sha256(b"photo").hexdigest(), "media_type": "image/jpeg", "size_bytes": 5}
CHIEF = Principal("officer", "chief", "supervisor")
LI = Principal("officer", "li", "officer")
WANG = Principal("officer", "wang", "officer")


def goods(number: str = "D-1", **changes: Any) -> NewDeclaration:
    item = {
        "description": "Car",
        "commodity_code": "870323",
        "origin": "DE",
        "container": "MSKU1234565",
        "code_kind": "vin",
        "code": VIN,
    }
    fields = {
        "registration_number": "3201966A2B",
        "number": number,
        "kind": "goods",
        "company": "Blue",
        "items": [item],
    }
    return NewDeclaration.model_validate({**fields, **changes})


class Office:
    """A center with its officers, and the deeds on it in short."""

    def __init__(self, center: Center) -> None:
        self.center = center

    def write(self, job: Callable[[Any], T]) -> T:
        return self.center.writer.run(job)

    def accept(self, new: NewDeclaration) -> str:
        return self.write(lambda transaction: accept(transaction, self.center.key, "officer:li", "test", new))

    def do(self, officer: Principal, identity: str, deed: str, **fields: Any) -> str:
        wanted = NewDeed.model_validate({"deed": deed, **fields})
        return self.write(lambda transaction: do(transaction, self.center.key, officer, identity, wanted))

    def show(self, identity: str) -> dict[str, Any]:
        with self.center.engine.connect() as connection:
            return queries.details(connection, identity)

    def state(self, identity: str) -> str:
        return str(self.show(identity)["state"])

    def finish(self, identity: str, state: str = "done", **states: str) -> None:
        """What a handheld does: every step, with a picture of the goods."""
        order = str(self.show(identity)["order_id"])

        def job(transaction: Any) -> None:
            table = schema.order
            row = transaction.connection.execute(select(table.c.steps).where(table.c.id == order)).one()
            steps = [{**step, "state": states.get(step["kind"], "done")} for step in json.loads(row.steps)]
            for step in steps:
                if step["kind"] == "goods":
                    step["evidence"] = [PHOTO]
            changed = update(table).where(table.c.id == order)
            transaction.connection.execute(changed.values(state=state, steps=json.dumps(steps)))
            follow_order(transaction, order)

        self.write(job)

    def inspected(self, number: str = "D-1", state: str = "done", **states: str) -> str:
        """A declaration whose goods wang has inspected."""
        identity = self.accept(goods(number))
        self.do(CHIEF, identity, "select", reason="first of this company")
        self.do(CHIEF, identity, "order", inspector="wang")
        self.finish(identity, state, **states)
        return identity

    def reviewed(self, number: str) -> str:
        """A declaration that waits for the review of its documents."""
        identity = self.accept(goods(number))
        if self.state(identity) == "scored":
            values = {"state": "in_review"}
            self.write(
                lambda transaction: transaction.connection.execute(
                    update(declaration).where(declaration.c.id == identity).values(**values)
                )
            )
        return identity


def staffed(running: RunningCenter) -> Office:
    for name, role in (("chief", "supervisor"), ("li", "officer"), ("wang", "officer"), ("zhao", "auditor")):
        running.add_account(name, role)
    return Office(running.center)


@pytest.fixture
def office(running: RunningCenter) -> Office:
    return staffed(running)


@pytest.fixture
def office_on_each(running_on_each: RunningCenter) -> Office:
    return staffed(running_on_each)


def test_a_declaration_goes_from_its_arrival_to_release_and_file(office_on_each: Office) -> None:
    office = office_on_each
    identity = office.inspected()
    found = office.show(identity)
    assert (found["state"], found["result"], found["inspector"]) == ("inspected", "passed", "wang")
    assert found["score"] is not None
    assert found["risk"]["model"] == "goods"
    office.do(LI, identity, "release", photos=[PHOTO["sha256"]])
    office.do(LI, identity, "file")
    found = office.show(identity)
    assert [deed["to_state"] for deed in found["deeds"]][-5:] == [
        "selected",
        "ordered",
        "inspected",
        "released",
        "filed",
    ]
    (receipt,) = found["receipts"]
    key = VerifyKey.from_text(office.center.key.public.to_text())
    key.verify(canonical_bytes(receipt["content"]), receipt["signature"])
    assert receipt["content"]["containers"] == ["MSKU1234565"]
    with office.center.engine.connect() as connection:
        item = find_item(connection, "vin", VIN)
        told = connection.execute(select(outgoing.c.type, outgoing.c.data)).all()
    assert item is not None
    assert item.certificate.holds(key)
    assert [photo["sha256"] for photo in item.photos] == [PHOTO["sha256"]]
    assert [row.type for row in told] == ["inspection.release.v1"]
    assert json.loads(told[0].data)["receipt"]["id"] == receipt["id"]


def test_the_same_number_of_a_company_is_taken_once(office: Office) -> None:
    office.accept(goods())
    with pytest.raises(Conflict, match="before"):
        office.accept(goods())
    office.accept(goods(registration_number="OTHER-1"))


def test_an_attribute_the_risk_model_does_not_know_refuses_the_whole_declaration(office: Office) -> None:
    with pytest.raises(Unfit, match="made_up"):
        office.accept(goods(attributes={"made_up": 1}))
    with office.center.engine.connect() as connection:
        assert queries.list_declarations(connection) == []


def test_who_inspected_does_not_decide_and_who_reviewed_does_not_inspect(office: Office) -> None:
    identity = office.inspected()
    with pytest.raises(Conflict, match="wang had the goods"):
        office.do(WANG, identity, "release")
    assert office.state(identity) == "inspected"
    reviewed = office.reviewed("D-2")
    office.do(WANG, reviewed, "refer", reason="seal number differs")
    with pytest.raises(Conflict, match="wang had the documents"):
        office.do(CHIEF, reviewed, "order", inspector="wang")
    with pytest.raises(Conflict, match="chief had the dispatch"):
        office.do(CHIEF, reviewed, "order", inspector="chief")
    assert office.state(reviewed) == "selected"
    office.do(CHIEF, reviewed, "order", inspector="li")
    assert office.state(reviewed) == "ordered"


def test_a_release_against_what_was_found_needs_a_reason(office: Office) -> None:
    found_something = office.inspected("D-1", seal="failed")
    left_out = office.inspected("D-2", packaging="skipped")
    assert office.show(found_something)["result"] == "failed"
    assert office.show(left_out)["steps_skipped"] == ["packaging"]
    for identity, result in ((found_something, "failed"), (left_out, "incomplete")):
        with pytest.raises(Unfit, match=result):
            office.do(LI, identity, "release")
        office.do(LI, identity, "release", reason="settled with the company")
        assert office.state(identity) == "released"


def test_only_pictures_of_this_inspection_are_published(office: Office) -> None:
    identity = office.inspected()
    with pytest.raises(Unfit, match="no picture of this inspection"):
        office.do(LI, identity, "release", photos=["0" * 64])
    assert office.state(identity) == "inspected"
    assert office.show(identity)["receipts"] == []


def test_follow_up_is_supervised_until_fulfilled_or_recalled(office_on_each: Office) -> None:
    office = office_on_each
    kept, broken = office.inspected("D-1"), office.inspected("D-2")
    for identity in (kept, broken):
        office.do(LI, identity, "release_with_follow_up", follow_up="label within 30 days", follow_up_days=30)
        assert office.state(identity) == "follow_up"
    office.do(LI, kept, "fulfil")
    assert office.state(kept) == "filed"
    with pytest.raises(Unfit, match="reason"):
        office.do(LI, broken, "recall")
    office.do(LI, broken, "recall", reason="sold without label")
    found = office.show(broken)
    assert found["state"] == "recalled"
    assert found["receipts"][0]["revoked"] is not None
    with office.center.engine.connect() as connection:
        assert find_item(connection, "vin", VIN) is None
        kinds = [row[0] for row in connection.execute(select(outgoing.c.type).order_by(outgoing.c.number))]
    assert kinds == ["inspection.release.v1", "inspection.release.v1", "inspection.release_revoked.v1"]


def test_a_cancelled_order_gives_the_declaration_back(office: Office) -> None:
    identity = office.accept(goods())
    office.do(CHIEF, identity, "select", reason="x")
    office.do(CHIEF, identity, "order", inspector="wang")
    with pytest.raises(Unfit, match="reason"):
        office.do(CHIEF, identity, "cancel_order")
    office.do(CHIEF, identity, "cancel_order", reason="gate is closed")
    found = office.show(identity)
    assert (found["state"], found["order_id"], found["inspector"]) == ("selected", None, "")


def test_what_is_late_and_left_out_is_shown(office_on_each: Office) -> None:
    office = office_on_each
    identity, fresh = office.accept(goods("D-1")), office.accept(goods("D-2"))
    office.write(
        lambda transaction: transaction.connection.execute(
            update(declaration).where(declaration.c.id == identity).values(due=now_text(-timedelta(minutes=1)))
        )
    )
    with office.center.engine.connect() as connection:
        late = queries.list_declarations(connection, late=True)
        rows = {row["id"]: row["late"] for row in queries.list_declarations(connection)}
    assert [row["id"] for row in late] == [identity]
    assert rows == {identity: True, fresh: False}


def test_spot_checks_are_chosen_by_the_next_signed_root_of_the_log(office_on_each: Office) -> None:
    office = office_on_each
    identities = [office.reviewed(f"D-{number}") for number in range(12)]
    for identity in identities:
        office.do(LI, identity, "pass_documents")
        assert office.show(identity)["on_documents"]

    def choose(transaction: Any) -> int:
        return choose_spot_checks(transaction, 0.5)

    assert office.write(choose) == 0, "no root was signed since"
    office.write(lambda transaction: sign_checkpoint(transaction, office.center.key))
    with office.center.engine.connect() as connection:
        checkpoint = schema.audit_checkpoint
        root = connection.execute(select(checkpoint.c.root).order_by(checkpoint.c.size.desc())).scalars().first()
    expected = {identity for identity in identities if chosen_for_spot_check(str(root), identity, 0.5)}
    assert office.write(choose) == len(expected)
    assert office.write(choose) == 0
    for identity in identities:
        found = office.show(identity)
        assert found["state"] == ("selected" if identity in expected else "released")
        assert (found["receipts"][0]["revoked"] is not None) == (identity in expected)


def test_how_often_spot_checks_are_chosen_is_their_rate() -> None:
    chosen = sum(chosen_for_spot_check("root", f"{number:020x}", 0.1) for number in range(20_000))
    # Binomial: 5 standard deviations of 42.
    assert abs(chosen - 2000) < 212


def test_a_receipt_that_was_changed_does_not_hold(office: Office) -> None:
    identity = office.inspected()
    office.do(LI, identity, "release")
    receipt = office.show(identity)["receipts"][0]
    with office.center.engine.connect() as connection:
        signed = receipts.find(connection, receipt["id"])
    assert signed.holds(office.center.key.public)
    signed.content["number"] = "D-2"
    assert not signed.holds(office.center.key.public)


def test_a_deed_that_is_refused_leaves_nothing_behind(office: Office) -> None:
    identity = office.accept(goods())
    before = office.show(identity)
    refused: list[tuple[Principal, str, dict[str, Any]]] = [
        (LI, "release", {}),
        (LI, "file", {}),
        (CHIEF, "order", {"inspector": "wang"}),
        (LI, "withdraw", {}),
        (LI, "fulfil", {}),
    ]
    for officer, deed, fields in refused:
        with pytest.raises(Problem):
            office.do(officer, identity, deed, **fields)
    office.do(CHIEF, identity, "select", reason="x")
    for name in ("nobody", "zhao"):
        with pytest.raises(NotFound, match="no officer"):
            office.do(CHIEF, identity, "order", inspector=name)
    with pytest.raises(NotFound):
        office.do(CHIEF, identity, "order", robot="robot_9", inspector="li")
    found = office.show(identity)
    assert len(found["deeds"]) == len(before["deeds"]) + 1
    assert found["order_id"] is None
    with pytest.raises(NotFound):
        office.do(LI, "0" * 20, "file")


def test_every_deed_stands_in_the_audit_log(office: Office) -> None:
    identity = office.inspected()
    office.do(LI, identity, "release")
    with office.center.engine.connect() as connection:
        audit = schema.audit
        rows = connection.execute(select(audit.c.action, audit.c.actor).where(audit.c.object == identity)).all()
    actions = [row.action for row in rows if row.action.startswith("declaration.")]
    assert actions[0] == "declaration.receive"
    assert actions[-3:] == ["declaration.order", "declaration.finish", "declaration.release"]
    assert rows[-1].actor == "officer:li"


def test_the_rounds_of_the_center_catch_up_with_orders_after_a_restart(tmp_path: Path) -> None:
    with RunningCenter(tmp_path / "center") as running:
        for name, role in (("chief", "supervisor"), ("wang", "officer")):
            running.add_account(name, role)
        office = Office(running.center)
        identity = office.accept(goods())
        office.do(CHIEF, identity, "select", reason="x")
        office.do(CHIEF, identity, "order", inspector="wang")
        order = office.show(identity)["order_id"]
    center = Center(tmp_path / "center", Settings())
    try:
        office = Office(center)
        assert office.state(identity) == "ordered"
        office.write(
            lambda transaction: transaction.connection.execute(
                text("UPDATE inspection_order SET state = 'running' WHERE id = :order"), {"order": order}
            )
        )
        office.write(lambda transaction: work(transaction, center.key, 0.0))
        assert office.state(identity) == "inspecting"
    finally:
        center.close()


@pytest.mark.parametrize("role", ["officer", "supervisor", "auditor", "administrator"])
def test_each_role_may_do_the_deeds_of_its_permissions_and_no_others(running: RunningCenter, role: str) -> None:
    running.add_account("chen", role)
    identity = Office(running.center).accept(goods())
    with running.browser("chen") as http:
        may_read = role in PERMISSIONS["declarations.read"]
        assert http.get("/api/v1/declarations").status_code == (200 if may_read else 403)
        page = http.get("/", headers={"Accept": "text/html"}).text
        token = page.split('X-CSRF-Token": "')[1].split('"')[0]
        for deed, permission in PERMISSION_OF.items():
            body = {"deed": deed, "inspector": "li", "follow_up": "x"}
            answer = http.post(f"/api/v1/declarations/{identity}/deeds", json=body, headers={"X-CSRF-Token": token})
            allowed = may_read and role in PERMISSIONS[permission]
            assert (answer.status_code != 403) == allowed, (role, deed, answer.text)
            assert answer.status_code < 500
