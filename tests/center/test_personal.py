"""Personal data lies sealed in the database, opens for those who may, and is gone when its key is destroyed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from inspection_center import watchlist
from inspection_center.audit.verification import verify
from inspection_center.auth import accounts
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.command_line import main
from inspection_center.database import schema
from inspection_center.database.tables import metadata
from inspection_center.problems import Conflict
from inspection_center.service import Center
from inspection_contract.client import CenterClient
from inspection_contract.events import Incident, Transcript
from inspection_contract.sealing import open_name
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.contract.builders import detection

OFFICER = Principal("officer", "li", "supervisor")
SECRET = "E12345678"
SAID = "My name is Zhang Wei"


@pytest.fixture
def running(running_on_each: RunningCenter) -> RunningCenter:
    """Every test here holds on both databases."""
    return running_on_each


def token(running: RunningCenter, role: str) -> str:
    return running.center.writer.run(
        lambda transaction: accounts.new_service(transaction, "test", f"t_{uuid4().hex}", role)
    )


def everything(running: RunningCenter) -> str:
    """All that the database holds, as one text."""
    with running.center.engine.connect() as connection:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(select(table)))


def report(running: RunningCenter) -> list[int]:
    """A transcript, a finding and a case with personal data; gives their numbers."""
    robot = running.enrol()
    now = datetime.now(UTC)
    bodies = [
        Transcript(stamp=now, session="s7", speaker="traveller", language="en", text=SAID),
        detection(subject="traveller_4", attributes={"personal.document_number": SECRET, "grade": "A"}),
        Incident(uuid=uuid4(), stamp=now, state="suspected", kind="documents.watchlist", confidence=0.9,
                 subject="traveller_4", attributes={"personal.document_number": SECRET}),
    ]  # fmt: skip
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, bodies))
    with running.center.engine.connect() as connection:
        return [row[0] for row in connection.execute(select(schema.event.c.number).order_by(schema.event.c.number))]


def opened(running: RunningCenter, number: int) -> dict[str, object]:
    answer = httpx.post(
        f"{running.url}/api/v1/events/{number}/personal",
        headers={"Authorization": f"Bearer {token(running, 'officer')}"},
    )
    answer.raise_for_status()
    data: dict[str, object] = answer.json()["data"]
    return data


def erase(running: RunningCenter, subject: str, role: str = "administrator") -> httpx.Response:
    return httpx.post(
        f"{running.url}/api/v1/personal/erasures",
        json={"subject": subject},
        headers={"Authorization": f"Bearer {token(running, role)}"},
    )


def add_entry(running: RunningCenter, identity: str = "w1") -> None:
    row = {"id": identity, "kind": "name", "identifier": "Zhang Wei", "birth_date": "1970-02-01"}
    vault = running.center.vault
    running.center.writer.run(lambda transaction: watchlist.add_entries(transaction, vault, OFFICER, [row]))


def publish(running: RunningCenter) -> None:
    center = running.center
    center.writer.run(lambda transaction: watchlist.publish(transaction, center.vault, center.key, OFFICER))


def listed(running: RunningCenter) -> list[tuple[str, str]]:
    with running.center.engine.connect() as connection:
        entries = watchlist.list_entries(connection, running.center.vault)
    return [(entry["identifier"], entry["birth_date"]) for entry in entries]


def test_what_events_mark_as_personal_is_nowhere_in_the_clear(running: RunningCenter) -> None:
    transcript, finding, case = report(running)
    held = everything(running)
    assert SECRET not in held
    assert SAID not in held
    assert '"grade":"A"' in held
    assert opened(running, transcript)["text"] == SAID
    for number in (finding, case):
        assert opened(running, number)["attributes"]["personal.document_number"] == SECRET  # type: ignore[index]
    with running.center.engine.connect() as connection:
        reads = connection.execute(select(schema.audit.c.object).where(schema.audit.c.action == "personal.read"))
        assert [row[0] for row in reads] == [str(number) for number in (transcript, finding, case)]


def test_an_erased_person_is_gone_while_others_and_the_audit_proofs_stay(running: RunningCenter) -> None:
    transcript, finding, case = report(running)
    assert erase(running, "person:robot_1:traveller_4").status_code == 201
    for number in (finding, case):
        assert opened(running, number)["attributes"]["personal.document_number"] == "erased"  # type: ignore[index]
    assert opened(running, transcript)["text"] == SAID
    assert erase(running, "session:robot_1:s7").status_code == 201
    assert opened(running, transcript)["text"] == "erased"
    assert erase(running, "session:robot_1:s7").status_code == 404
    with running.center.engine.connect() as connection:
        assert verify(connection, running.center.key.public).faults == []


def test_what_arrives_about_an_erased_person_is_not_kept(running: RunningCenter) -> None:
    report(running)
    erase(running, "session:robot_1:s7")
    robot = running.enrol()
    late = Transcript(stamp=datetime.now(UTC), session="s7", speaker="traveller", language="en", text=SAID)
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [late], outbox=uuid4()))
    with running.center.engine.connect() as connection:
        data = connection.execute(select(schema.event.c.data).order_by(schema.event.c.number.desc())).scalars().first()
    assert json.loads(str(data))["text"] == "erased"


@pytest.mark.parametrize(("role", "status"), [("officer", 403), ("auditor", 403), ("supervisor", 201)])
def test_only_supervisors_and_administrators_erase(running: RunningCenter, role: str, status: int) -> None:
    report(running)
    assert erase(running, "person:robot_1:traveller_4", role).status_code == status


@pytest.mark.parametrize("subject", ["person:", "account", "watchlist:no one", "session:robot_1:'; DROP TABLE event"])
def test_a_subject_that_is_none_is_refused(running: RunningCenter, subject: str) -> None:
    assert erase(running, subject).status_code in (404, 422)


def test_the_watch_list_lies_sealed_and_an_erased_entry_leaves_the_list_and_what_was_sent(
    running: RunningCenter,
) -> None:
    robot = running.enrol()
    add_entry(running, "w1")
    add_entry(running, "w2")
    assert "Zhang" not in everything(running)
    assert "1970-02-01" not in everything(running)
    assert listed(running) == [("Zhang Wei", "1970-02-01")] * 2
    publish(running)
    with running.center.engine.connect() as connection:
        secret = connection.execute(select(schema.robot.c.watchlist_key)).scalar_one()
        sent = json.loads(connection.execute(select(schema.command.c.data)).scalar_one())
    assert open_name(secret, "w1", sent["entries"][0]["sealed_name"]) == "Zhang Wei"
    assert main(["erase", "watchlist:w1", "--state", str(running.center.state), *settings_of(running)]) == 0
    assert listed(running) == [("Zhang Wei", "1970-02-01")]
    publish(running)
    with running.center.engine.connect() as connection:
        rows = connection.execute(select(schema.command.c.data).order_by(schema.command.c.number))
        lists = [[entry["id"] for entry in json.loads(row[0])["entries"]] for row in rows]
        assert lists == [["w2"], ["w2"]]
        assert connection.execute(select(schema.command.c.expires)).scalars().first() <= now_text()  # type: ignore[operator]
        assert verify(connection, running.center.key.public).faults == []
    with pytest.raises(Conflict, match="w1"):
        add_entry(running, "w1")
    assert robot.name == "robot_1"


def test_entries_of_the_first_version_are_sealed_at_the_start(running: RunningCenter, tmp_path: Path) -> None:
    def job(transaction: object) -> None:
        transaction.connection.execute(  # type: ignore[attr-defined]
            schema.watchlist_entry.insert().values(
                id="old", kind="name", identifier="Li Na", birth_date="", added_by="li", added_version=1
            )
        )

    running.center.writer.run(job)
    again = Center(running.center.state, running.center.settings)
    again.close()
    assert "Li Na" not in everything(running)
    assert listed(running) == [("Li Na", "")]


def settings_of(running: RunningCenter) -> list[str]:
    path = running.center.state / "settings.yaml"
    path.write_text(json.dumps({"database_url": running.center.settings.database_url}))
    return ["--settings", str(path)]
