from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inspection_contract.commands import COMMAND_TYPES, Announcement, Decision, IncidentDecision
from inspection_contract.envelope import CloudEvent, join_batch, parse_source, read_body, source_name, write_event
from inspection_contract.events import EVENT_TYPES, Detection
from inspection_contract.fields import not_a_number_when_unknown
from inspection_contract.schemas import json_schemas
from inspection_contract.streams import asyncapi
from tests.contract.builders import MOMENT, OUTBOX, detection

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)


@given(
    value=st.none() | st.floats(allow_infinity=False),
    confidence=st.floats(0, 1),
    subject=texts,
    attributes=st.dictionaries(texts, texts, max_size=5),
    stamp=st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=8)))),
)
def test_a_detection_survives_the_way_through_its_envelope(
    value: float | None, confidence: float, subject: str, attributes: dict[str, str], stamp: datetime
) -> None:
    try:
        sent = detection(value=value, confidence=confidence, subject=subject, attributes=attributes, stamp=stamp)
    except ValidationError as error:
        # Only the edge of the calendar has no UTC form.
        assert error.errors()[0]["loc"] == ("stamp",) and stamp.year in (1, 9999)
        return
    data = write_event(sent, id=sent.uuid, source=source_name("robot_1", OUTBOX), sequence=7, time=MOMENT)
    envelope = CloudEvent.model_validate_json(data)
    assert envelope.number == 7
    assert envelope.body() == sent


def test_not_a_number_travels_as_null_and_comes_back_as_nan() -> None:
    sent = detection(value=math.nan, standard_uncertainty=math.nan)
    data = write_event(sent, id=sent.uuid, source=source_name("r", OUTBOX), sequence=1, time=MOMENT)
    assert json.loads(data)["data"]["value"] is None
    received = CloudEvent.model_validate_json(data).body()
    assert isinstance(received, Detection)
    assert math.isnan(not_a_number_when_unknown(received.value))


def test_an_infinite_value_is_refused() -> None:
    with pytest.raises(ValidationError):
        detection(value=math.inf)


def test_a_batch_is_the_canonical_form_of_its_events() -> None:
    events = [
        write_event(detection(), id=uuid4(), source=source_name("r", OUTBOX), sequence=n, time=MOMENT) for n in (1, 2)
    ]
    assert json.loads(join_batch(events)) == [json.loads(event) for event in events]


@given(st.uuids())
def test_a_source_reads_back(outbox: object) -> None:
    assert parse_source(f"urn:inspection:robot:hall_2:{outbox}") == ("hall_2", outbox)


@pytest.mark.parametrize("source", ["", "urn:inspection:robot:../x:" + str(OUTBOX), "urn:inspection:robot:r:1", "r"])
def test_a_foreign_source_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="source"):
        parse_source(source)


@pytest.mark.parametrize("stamp", [0, 1774511161, "1774511161", "2026-03-26T07:46:01"])
def test_numbers_and_times_without_zone_are_no_timestamps_in_json(stamp: object) -> None:
    data = json.loads(detection().model_dump_json()) | {"stamp": stamp}
    with pytest.raises(ValueError, match="stamp"):
        read_body(Detection.TYPE, data)


def test_unknown_types_and_unknown_fields_are_named() -> None:
    with pytest.raises(ValueError, match="unknown event type"):
        read_body("inspection.nothing.v1", {})
    with pytest.raises(ValueError, match="extra_thing"):
        read_body(Detection.TYPE, json.loads(detection().model_dump_json()) | {"extra_thing": 1})


def test_every_event_and_command_has_a_schema() -> None:
    schemas = json_schemas()
    assert set(schemas) == {"cloudevent", *EVENT_TYPES, *COMMAND_TYPES}
    assert set(schemas[Detection.TYPE]["required"]) == {"uuid", "stamp", "kind", "severity", "confidence"}


def test_every_stream_message_is_described_and_every_reference_leads_somewhere() -> None:
    described = asyncapi("https://center.example:8443")
    assert described["servers"]["center"] == {"host": "center.example:8443", "protocol": "https"}
    messages = described["components"]["messages"]
    referred = {
        reference["$ref"].rsplit("/", 1)[1]
        for channel in described["channels"].values()
        for reference in channel["messages"].values()
    }
    assert referred == set(messages) == {*EVENT_TYPES, *COMMAND_TYPES}


def test_commands_that_would_say_or_explain_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="words"):
        Announcement(announcement_id=uuid4(), text_zh=" ")
    with pytest.raises(ValidationError, match="reason"):
        IncidentDecision(incident=uuid4(), decision=Decision.DISMISS, officer="li")
