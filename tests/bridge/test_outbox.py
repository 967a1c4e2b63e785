from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection_contract.envelope import CloudEvent, parse_source
from inspection_contract.errors import InputError
from inspection_contract.events import CommandOutcome, Detection
from inspection_contract.fields import EvidenceReference
from inspection_robot.bridge.outbox import Outbox, OutboxError, OutgoingEvent
from tests.contract.builders import detection


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.db", "robot_1")


def outgoing(body: Detection) -> OutgoingEvent:
    return OutgoingEvent(body.uuid, body)


def sequences(outbox: Outbox) -> list[int]:
    return [event.sequence for event in outbox.waiting_events(10_000, 2**30)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(offers=st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=8))
def test_whatever_is_offered_is_accepted_once_and_numbered_without_gap(
    tmp_path_factory: pytest.TempPathFactory, offers: list[list[int]]
) -> None:
    outbox = Outbox(tmp_path_factory.mktemp("outbox") / "outbox.db", "robot_1")
    bodies = [detection() for _ in range(13)]
    new = sum(outbox.accept([outgoing(bodies[index]) for index in offer]) for offer in offers)
    assert new == len({index for offer in offers for index in offer})
    assert sequences(outbox) == list(range(1, new + 1))
    outbox.close()


def test_numbers_are_never_used_again_after_acknowledgement_and_restart(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    first = Outbox(path, "robot_1")
    first.accept([outgoing(detection()) for _ in range(3)])
    first.acknowledge(3)
    first.close()
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM event")
    second = Outbox(path, "robot_1")
    assert second.first_held() == 4
    second.accept([outgoing(detection())])
    assert sequences(second) == [4]
    assert second.id == first.id


def test_what_was_accepted_before_a_kill_is_there_afterwards(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.bridge.test_outbox import detection, outgoing\n"
        "from inspection_robot.bridge.outbox import Outbox\n"
        "outbox = Outbox(Path(sys.argv[1]), 'robot_1')\n"
        "for _ in range(20):\n"
        "    outbox.accept([outgoing(detection())])\n"
        "    print(outbox.state().last_sequence, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "outbox.db"
    process = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    accepted = [int(line) for line in process.stdout.split()]
    assert accepted == list(range(1, 21)), process.stderr
    assert sequences(Outbox(path, "robot_1")) == accepted


def test_events_carry_their_source_and_the_moment_of_acceptance(outbox: Outbox) -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    body = detection()
    outbox.accept([outgoing(body)], moment)
    envelope = CloudEvent.model_validate_json(outbox.waiting_events(1, 1)[0].bytes)
    assert parse_source(envelope.source) == ("robot_1", outbox.id)
    assert (envelope.id, envelope.time, envelope.number) == (body.uuid, moment, 1)


def test_a_center_that_lost_events_is_sent_them_again(outbox: Outbox) -> None:
    outbox.accept([outgoing(detection()) for _ in range(5)])
    outbox.acknowledge(5)
    assert sequences(outbox) == []
    outbox.acknowledge(2)
    assert sequences(outbox) == [3, 4, 5]


def test_batches_are_bounded_by_number_and_length_but_never_empty(outbox: Outbox) -> None:
    outbox.accept([outgoing(detection()) for _ in range(5)])
    length = len(outbox.waiting_events(1, 1)[0].bytes)
    assert len(outbox.waiting_events(3, 2**20)) == 3
    assert len(outbox.waiting_events(5, 1)) == 1
    assert len(outbox.waiting_events(5, 2 * length + 20)) == 2


def test_evidence_of_the_gravest_finding_goes_first(outbox: Outbox) -> None:
    references = [EvidenceReference(sha256=digit * 64, media_type="image/png", size_bytes=1) for digit in "abc"]
    for reference, severity in zip(references, (1, 4, 1), strict=True):
        outbox.accept([outgoing(detection(severity=severity, evidence=(reference,)))])
    assert [item.reference.sha256[0] for item in outbox.waiting_evidence(10)] == ["b", "a", "c"]
    outbox.settle_evidence("b" * 64, "sent")
    assert [item.reference.sha256[0] for item in outbox.waiting_evidence(10)] == ["a", "c"]
    assert outbox.state().evidence == 2


def test_a_full_disk_accepts_nothing_and_leaves_no_gap(outbox: Outbox) -> None:
    outbox.accept([outgoing(detection())])
    pages = outbox._database.execute("PRAGMA page_count").fetchone()[0]
    outbox._database.execute(f"PRAGMA max_page_count={pages + 2}")
    large = [outgoing(detection(attributes={"note": "x" * 3000})) for _ in range(30)]
    with pytest.raises(OutboxError, match="full"):
        outbox.accept(large)
    assert sequences(outbox) == [1]
    outbox._database.execute("PRAGMA max_page_count=1000000")
    assert outbox.accept(large) == 30
    assert sequences(outbox) == list(range(1, 32))


def test_an_event_the_center_cannot_take_is_kept_and_its_place_is_filled(outbox: Outbox) -> None:
    outbox.accept([outgoing(detection()) for _ in range(3)])
    original = outbox.waiting_events(3, 2**20)[1].bytes
    outbox.set_aside(2, "422 envelope")
    events = [json.loads(event.bytes) for event in outbox.waiting_events(3, 2**20)]
    assert [int(event["sequence"]) for event in events] == [1, 2, 3]
    assert events[1]["data"]["code"] == "bridge.event_refused"
    assert outbox._database.execute("SELECT bytes FROM refused WHERE sequence = 2").fetchone()[0] == original


def test_a_command_its_cursor_and_its_outcome_are_one_commit(outbox: Outbox) -> None:
    command = uuid4()
    outcome = CommandOutcome(command_id=command, stamp=datetime.now(UTC), state="applied")
    assert not outbox.was_applied(command)
    outbox.settle_command(17, command, OutgoingEvent(uuid4(), outcome))
    assert outbox.was_applied(command)
    assert outbox.command_cursor() == 17
    assert sequences(outbox) == [1]


def test_a_file_that_is_no_outbox_or_another_robots_is_named(tmp_path: Path, outbox: Outbox) -> None:
    (tmp_path / "text").write_text("hello, this is no database at all" * 50)
    with pytest.raises(InputError, match="cannot be the outbox"):
        Outbox(tmp_path / "text", "robot_1")
    with pytest.raises(InputError, match="outbox of robot_1"):
        Outbox(tmp_path / "outbox.db", "robot_2")
