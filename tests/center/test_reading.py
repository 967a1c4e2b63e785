"""The short way of reading takes only what the contract's own models take, and makes the same of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_center.ingest.plain import PlainDetection, read_detection, read_envelopes
from inspection_center.ingest.reading import BatchError, detection_row, read_batch
from inspection_contract.canonical import canonical_bytes
from inspection_contract.envelope import CloudEvent, source_name, wrap
from inspection_contract.events import Detection
from tests.contract.builders import OUTBOX, detection

PLAIN: dict[str, Any] = detection().model_dump(mode="json")
ENVELOPE = wrap(
    detection(),
    id=UUID(int=1),
    source=source_name("robot_1", OUTBOX),
    sequence=1,
    time=datetime(2026, 1, 1, tzinfo=UTC),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["2026-01-01T00:00:00.000000Z", "a.b\n", "1"])
    | st.just("2026-13-01T00:00:00.000000Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [before] if before else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*before, key))
    return found


def changed(original: Any, place: tuple[str, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(original))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def test_the_short_way_knows_every_field_of_a_detection() -> None:
    assert set(PlainDetection.__struct_fields__) == set(Detection.model_fields)


def test_what_a_bridge_writes_takes_the_short_way() -> None:
    body = detection(severity=3, attributes={"名": "张伟"})
    row = read_detection(canonical_bytes(body.model_dump(mode="json")))
    assert row is not None
    assert row == detection_row(body)._replace(evidence=row.evidence, attributes=row.attributes)
    assert json.loads(row.attributes) == {"名": "张伟"}
    assert read_envelopes(canonical_bytes([ENVELOPE])) is not None


@given(place=st.sampled_from(places(PLAIN)), value=JSON)
def test_a_detection_taken_the_short_way_is_one_of_the_contract(place: tuple[str, ...], value: Any) -> None:
    raw = json.dumps(changed(PLAIN, place, value), ensure_ascii=False).encode("utf-8", "surrogatepass")
    row = read_detection(raw)
    if row is not None:
        body = Detection.model_validate(json.loads(raw))
        expected = detection_row(body)
        assert row[:-2] == expected[:-2]
        assert [json.loads(text) for text in row[-2:]] == [json.loads(text) for text in expected[-2:]]


@given(place=st.sampled_from([(key,) for key in ENVELOPE]), value=JSON)
def test_an_envelope_taken_the_short_way_is_one_of_the_contract(place: tuple[str, ...], value: Any) -> None:
    values = changed(ENVELOPE, place, value)
    raw = json.dumps([values], ensure_ascii=False).encode("utf-8", "surrogatepass")
    if read_envelopes(raw) is not None:
        CloudEvent.model_validate(values)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BatchError) as refused:
        read_batch(content, "robot_1", datetime.now(UTC))
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=12))
def test_broken_data_inside_a_good_envelope_is_refused_or_quarantined(data: bytes) -> None:
    marker = b'"data":{"broken":1}'
    body = canonical_bytes([{**ENVELOPE, "data": {"broken": 1}}]).replace(marker, b'"data":{' + data + b"}")
    try:
        batch = read_batch(body, "robot_1", datetime.now(UTC))
    except BatchError as refused:
        assert "\n" not in str(refused)
    else:
        assert batch.events[0].fault
