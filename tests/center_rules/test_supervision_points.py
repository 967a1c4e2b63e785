"""Each shipped risk point on its own made-up stream, and what the rule files refuse."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from inspection_center.supervision.columns import EventRow
from inspection_center.supervision.conditions import Match
from inspection_center.supervision.engine import BEGINNING_US, Engine
from inspection_center.supervision.following import rule_book
from inspection_center.supervision.reading import read_rule_book
from inspection_contract.errors import InputError
from inspection_contract.resources import share
from tests.center_rules.streams import DAY, STREAMS, Stream
from tests.center_rules.test_supervision_engine import ZONE

MONDAY_NOON_US = int(datetime(2026, 11, 16, 4, tzinfo=UTC).timestamp() * 1e6)  # 12 o'clock in Shanghai
FOLDER = share() / "config" / "supervision"


def rows_of(stream: Stream) -> list[EventRow]:
    types = rule_book().types
    rows = []
    for number, (time, kind, actor, fields) in enumerate(stream, 1):
        assert set(fields) <= set(types[kind]), f"{kind}: {fields}"
        rows.append(EventRow(number, kind, MONDAY_NOON_US + round(time * 1e6), actor, "", json.dumps(fields)))
    return rows


def found(rule: str, stream: Stream) -> list[Match]:
    book = rule_book()
    engine = Engine(book.types, {rule: book.points[rule]}, ZONE)
    rows = rows_of(stream)
    half = len(rows) // 2
    matches = engine.advance(rows[:half], BEGINNING_US).matches
    return matches + engine.advance(rows[half:], MONDAY_NOON_US + round(100 * DAY * 1e6)).matches


def test_sixty_points_are_shipped_and_each_has_a_stream() -> None:
    assert len(rule_book().points) == 60
    assert set(STREAMS) == set(rule_book().points)


@pytest.mark.parametrize("rule", STREAMS)
def test_a_point_is_met_by_what_it_is_for_and_by_nothing_else(rule: str) -> None:
    meeting, quiet = STREAMS[rule]
    assert meeting
    assert quiet
    for number, stream in enumerate(meeting):
        assert found(rule, stream), f"{rule}: stream {number} opens no case"
    for number, stream in enumerate(quiet):
        assert not found(rule, stream), f"{rule}: stream {number} opens a case"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_point_level_and_measure_has_its_words(language: str) -> None:
    text = (share() / "config" / "text" / language / "console_supervision.yaml").read_text(encoding="utf-8")
    words = yaml.safe_load(text)["supervision"]
    book = rule_book()
    assert set(words["risk_point"]) == set(book.points)
    assert all(entry["name"] and entry["reason"] for entry in words["risk_point"].values())
    assert set(words["levels"]) == set(book.handling.levels)
    assert set(words["measures"]) == set(book.measures.measures)
    assert set(words["rates"]) == set(book.measures.rates)
    assert set(words["areas"]) == {point.area for point in book.points.values()}


def test_nobody_is_concerned_by_a_point_that_watches_machines() -> None:
    assert {name for name, point in rule_book().points.items() if not point.concerns} >= {
        "robot_stopped_often", "robot_fault_lasting", "robot_findings_missing", "enquiries_guessed",
    }  # fmt: skip


POINT: dict[str, Any] = {
    "id": "p", "area": "orders", "tier": 1, "level": "unit", "deadline": "1 d",
    "condition": {"kind": "threshold", "of": {"event": "order.step_done", "where": [{"field": "seconds", "below": 5}]}},
}  # fmt: skip


def write(folder: Path, name: str, content: str) -> Path:
    if not folder.is_dir():
        shutil.copytree(FOLDER, folder)
    (folder / name).write_text(content, encoding="utf-8")
    return folder


def changed(**changes: Any) -> str:
    return yaml.safe_dump({"points": [{**POINT, **changes}]}, sort_keys=False)


def condition(**changes: Any) -> str:
    return changed(condition={**POINT["condition"], **changes})


def where(**demand: Any) -> str:
    return condition(of={"event": "order.step_done", "where": [demand]})


SEQUENCE = {
    "kind": "sequence",
    "first": {"event": "order.started"},
    "then": {"event": "order.finished"},
    "within": "1 h",
}
CHAIN = """
levels:
  unit: {role: supervisor, next: port}
  port: {role: supervisor, next: audit}
  audit:
    role: auditor
    next: unit
tiers:
  "1": {escalates_after: 1 d, answer_within: 1 d, second_person: false}
"""


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("points/x.yaml", condition(of={"event": "order.again"}, times=2, within="1 h"), "line 10: .*type order.again"),
        ("points/x.yaml", where(field="secs", below=5), "line 12: .*order.step_done has no field secs"),
        ("points/x.yaml", where(field="order", below=5), "below does not fit order, a text"),
        ("points/x.yaml", where(field="seconds", equals="x"), "equals does not fit seconds, a number"),
        ("points/x.yaml", where(field="seconds", below=5, over=1), "a demand has a field and one operator"),
        ("points/x.yaml", where(field="actor", same_as="seconds"), "same_as does not fit actor"),
        ("points/x.yaml", changed(deadline="0 h"), "line 6: .*longer than zero"),
        ("points/x.yaml", changed(deadline="soon"), "line 6: .*a number with s, min, h or d"),
        ("points/x.yaml", changed(level="king"), "line 5: .*no level king"),
        ("points/x.yaml", changed(tier=7), "line 4: .*no tier 7"),
        ("points/x.yaml", changed(concerns=["seconds"]), "order.step_done has no text seconds"),
        ("points/x.yaml", changed(id="required_step_skipped"), "there are two risk points required_step_skipped"),
        ("points/x.yaml", changed(condition={**SEQUENCE, "key": ["alert"]}), "order.started has no text alert"),
        ("points/x.yaml", changed(condition={**SEQUENCE, "key": []}), "line 14: .*at least 1 item"),
        ("points/x.yaml", condition(times=3), "times and within belong together"),
        ("points/x.yaml", condition(kind="magic"), "magic"),
        ("points/x.yaml", "points:\n  - id: p\n    id: q\n", "line 3: .*second time"),
        ("points/x.yaml", "points: [}", "line 1: no YAML"),
        ("handling.yaml", CHAIN, r"line 7: .*circle: unit → port → audit → unit|line \d+: .*circle"),
        ("handling.yaml", CHAIN.replace("next: unit", "next: nobody"), "line 7: .*no level nobody"),
        ("handling.yaml", CHAIN.replace("escalates_after: 1 d", "escalates_after: 0 d"), "line 9: .*longer than zero"),
        ("events.yaml", "order.given: {order: word}\n", "line 1: .*order.given"),
        ("measures.yaml", "measures: {x: {points: [nothing]}}\nrates: {}\n", "line 1: .*no risk point nothing"),
        ("measures.yaml", "measures: {x: {of: {event: case.opened}}}\nrates: {r: {part: x, of: y}}\n", "line 2: .*y"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_rule_file_is_told_with_its_line(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    folder = write(tmp_path / "rules", name, content)
    with pytest.raises(InputError, match=fault) as told:
        read_rule_book(folder)
    assert told.value.name.endswith(name)
    assert "\n" not in str(told.value)


def test_a_folder_without_points_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(FOLDER, folder)
    shutil.rmtree(folder / "points")
    with pytest.raises(InputError, match="holds no risk point"):
        read_rule_book(folder)
