"""What the demo shows and counts of what reached the center."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from inspection_contract.events import Detection, Incident, Severity
from inspection_contract.receipts import StoredEvent
from inspection_robot.demo.findings import StoredFinding, line, parse, reading, summary

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def detection(**fields):
    return Detection(
        **{
            "uuid": uuid4(),
            "stamp": NOW,
            "kind": "thermal.screening",
            "severity": Severity.INFO,
            "confidence": 0.9,
            **fields,
        }
    )


def stored(number=1, delay_s=0.5, **fields):
    return StoredFinding(number, detection(**fields), NOW + timedelta(seconds=delay_s))


def test_a_reading_shows_value_uncertainty_and_unit():
    assert reading(detection(value=36.93, unit="Cel", standard_uncertainty=0.312)) == "36.93 ± 0.31 °C"
    assert reading(detection(value=0.42, unit="1")) == "0.42"
    assert reading(detection()) == ""


def test_a_stored_detection_is_read_and_other_events_are_passed_over():
    body = detection().model_dump(mode="json")
    event = {"number": 7, "robot": "robot_1", "sequence": 3, "time": NOW, "received": NOW + timedelta(seconds=1)}
    found = parse(StoredEvent(**event, type=Detection.TYPE, data=body))
    assert isinstance(found, StoredFinding)
    assert found.delay_s == 1.0
    assert parse(StoredEvent(**event, type="inspection.transcript.v1", data={})) is None


def test_a_line_names_kind_reading_and_delay_only_where_clocks_agree():
    finding = stored(value=36.9, unit="Cel", standard_uncertainty=0.3, subject="t1")
    assert "thermal.screening" in line(finding, simulated_clock=False, colour=False)
    assert "at the center after 0.50 s" in line(finding, simulated_clock=False, colour=False)
    assert "after" not in line(finding, simulated_clock=True, colour=False)
    assert "\033[31m" in line(stored(severity=Severity.ALARM), simulated_clock=False, colour=True)


def test_the_summary_counts_people_once_and_tells_duplicates():
    first = stored(1, 0.2, subject="a")
    again = StoredFinding(2, first.detection, first.received)
    second = stored(3, 0.6, subject="a")
    third = stored(4, 0.4, subject="b")
    fever = stored(5, 0.8, subject="b", kind="thermal.fever", severity=Severity.ALARM)
    uuid = uuid4()
    incidents = [
        Incident(uuid=uuid, stamp=NOW, state=state, kind="thermal.fever", confidence=0.8)
        for state in ("suspected", "verifying")
    ]
    figures = summary([first, again, second, third, fever], incidents, simulated_clock=False)
    assert figures["people_screened"] == 2
    assert figures["duplicates"] == 1
    assert figures["findings_by_kind"] == {"thermal.screening": 4, "thermal.fever": 1}
    assert figures["incidents_by_state"] == {"verifying": 1}
    assert (figures["delay_median_s"], figures["delay_max_s"]) == (0.4, 0.8)


def test_nothing_found_is_a_summary_too():
    figures = summary([], [], simulated_clock=False)
    assert figures["findings"] == 0
    assert figures["delay_max_s"] is None
