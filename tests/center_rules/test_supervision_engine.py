"""The engine against a slow reference, whatever the order of arrival, the cuts into batches and the restarts."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_center.supervision.columns import EventRow, pack, text_hashes, unpack
from inspection_center.supervision.conditions import Match
from inspection_center.supervision.engine import BEGINNING_US, Engine
from inspection_center.supervision.memory import LatestByKey
from inspection_center.supervision.rules import RiskPoint

TYPES = {name: {"key": "text", "other": "text", "value": "number", "bad": "flag"} for name in ("a", "b", "c")}
ZONE = ZoneInfo("Asia/Shanghai")
SECOND = 1_000_000


def point(condition: dict[str, Any]) -> RiskPoint:
    return RiskPoint.model_validate(
        {"id": "p", "area": "test", "tier": 1, "level": "unit", "deadline": "1 d", "condition": condition}
    )


SELECT_A = {"event": "a"}
SELECT_B = {"event": "b", "where": [{"field": "bad", "equals": True}]}
SELECT_BOTH = {"event": ["a", "b"], "where": [{"field": "value", "over": 2}]}
CONDITIONS: dict[str, dict[str, Any]] = {
    "sequence": {"kind": "sequence", "first": SELECT_A, "then": SELECT_B, "key": ["key"], "within": "10 s"},
    "sequence of the same kind": {
        "kind": "sequence", "first": SELECT_BOTH, "then": SELECT_BOTH, "key": ["key"], "within": "10 s",
    },
    "sequence by different persons": {
        "kind": "sequence", "first": SELECT_A, "then": SELECT_B, "key": ["key"], "within": "10 s",
        "different": ["actor"],
    },
    "absence after": {"kind": "absence", "after": SELECT_A, "missing": SELECT_B, "key": ["key"], "within": "10 s"},
    "absence after the same kind": {
        "kind": "absence", "after": SELECT_BOTH, "missing": SELECT_BOTH, "key": ["key"], "within": "10 s",
    },
    "absence before": {
        "kind": "absence", "before": SELECT_A, "missing": SELECT_B, "key": ["key", "actor"], "within": "10 s",
    },
    "absence of anything": {"kind": "absence", "after": SELECT_A, "missing": SELECT_B, "key": [], "within": "5 s"},
    "threshold": {"kind": "threshold", "of": {"event": "a", "where": [{"field": "value", "at_most": 1}]}},
    "threshold of a count": {
        "kind": "threshold", "of": {"event": ["a", "c"]}, "times": 3, "within": "10 s", "key": ["key"],
    },
    "four eyes": {
        "kind": "four_eyes", "first": SELECT_A, "second": {"event": "b", "person": "other"}, "key": ["key"],
        "within": "10 s",
    },
    "four eyes on the same deed": {
        "kind": "four_eyes", "first": SELECT_A, "second": SELECT_A, "key": ["key"], "within": "10 s",
    },
}  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[EventRow]:
    count = draw(st.integers(0, 40))
    rows = []
    for number in range(1, count + 1):
        fields = {
            "key": draw(st.sampled_from(["", "k1", "k2", "键"])),
            "other": draw(st.sampled_from(["", "li", "wang"])),
            "value": draw(st.integers(0, 4)),
            "bad": draw(st.booleans()),
        }
        actor = draw(st.sampled_from(["", "li", "wang"]))
        time = draw(st.integers(0, 60)) * SECOND
        kind = draw(st.sampled_from(["a", "a", "b", "b", "c"]))
        rows.append(EventRow(number, kind, time, actor, "", json.dumps(fields, ensure_ascii=False)))
    return rows


def field(row: EventRow, name: str) -> Any:
    return {**json.loads(row.data), "actor": row.actor, "unit": row.unit, "type": row.type}.get(name, "")


def chosen(row: EventRow, selector: Any) -> bool:
    def meets(demand: Any) -> bool:
        value, wanted = field(row, demand.field), getattr(demand, demand.operator)
        compare: dict[str, Callable[[], bool]] = {
            "equals": lambda: value == wanted,
            "over": lambda: value > wanted,
            "at_most": lambda: value <= wanted,
        }
        return compare[demand.operator]()

    return row.type in selector.event and all(meets(demand) for demand in selector.where)


def key(row: EventRow, names: tuple[str, ...]) -> tuple[str, ...] | None:
    values = tuple(field(row, name) for name in names)
    return None if "" in values else values


def reference(condition: Any, order: list[tuple[int, EventRow]], end: int) -> set[tuple[str, int | None]]:
    """Where the condition is met, by looking at every pair of events in their final order."""
    found: set[tuple[str, int | None]] = set()
    within = 0 if condition.within is None else round(condition.within.total_seconds() * SECOND)

    def pairs(first: Any, then: Any, names: tuple[str, ...], other_names: tuple[str, ...]) -> Any:
        for later, (_, row) in enumerate(order):
            own = key(row, other_names)
            if own is None or not chosen(row, then):
                continue
            before = [one for _, one in order[:later] if chosen(one, first) and key(one, names) == own]
            yield row, (before[-1] if before else None)

    if condition.kind == "sequence":
        for row, latest in pairs(condition.first, condition.then, condition.key, condition.key):
            if latest and 0 <= row.time_us - latest.time_us <= within:
                sides = [(field(row, name), field(latest, name)) for name in condition.different]
                if all("" not in side and side[0] != side[1] for side in sides):
                    found.add((str(row.number), latest.number))
    elif condition.kind == "absence" and condition.before:
        for row, latest in pairs(condition.missing, condition.before, condition.key, condition.key):
            if latest is None or row.time_us - latest.time_us > within:
                found.add((str(row.number), None))
    elif condition.kind == "absence":
        for index, (counted, row) in enumerate(order):
            own = key(row, condition.key)
            if own is None or not chosen(row, condition.after) or counted + within >= end:
                continue
            # What comes when the span is over and has been judged answers nothing any more.
            after = [one for moment, one in order[index + 1 :] if moment <= counted + within]
            answers = [one for one in after if chosen(one, condition.missing) and key(one, condition.key) == own]
            if not any(0 <= one.time_us - row.time_us <= within for one in answers):
                found.add((str(row.number), None))
    elif condition.kind == "threshold":
        history: dict[Any, list[EventRow]] = defaultdict(list)
        for _, row in order:
            own = key(row, condition.key)
            if own is None or not chosen(row, condition.of):
                continue
            history[own].append(row)
            last = history[own][-condition.times :]
            times = [one.time_us for one in last]
            if len(last) == condition.times and max(times) - min(times) <= within:
                found.add((str(row.number), last[0].number if condition.times > 1 else None))
    else:
        first_names = (*condition.key, condition.first.person)
        second_names = (*condition.key, condition.second.person)
        sides = [
            pairs(condition.first, condition.second, first_names, second_names),
            pairs(condition.second, condition.first, second_names, first_names),
        ]
        for side in sides[:1] if condition.first == condition.second else sides:
            for row, latest in side:
                if latest and abs(row.time_us - latest.time_us) <= within:
                    found.add((str(row.number), latest.number))
    return found


def told(matches: list[Match]) -> list[tuple[str, int | None]]:
    return [(match.trigger, match.partner) for match in matches]


@pytest.mark.parametrize("name", CONDITIONS)
@settings(max_examples=30, deadline=None)
@given(rows=streams(), data=st.data())
def test_engine_and_reference_agree(name: str, rows: list[EventRow], data: st.DataObject) -> None:
    rule = point(CONDITIONS[name])
    engine = Engine(TYPES, {"p": rule}, ZONE)
    counted: list[tuple[int, EventRow]] = []
    found: list[tuple[str, int | None]] = []
    rest = list(rows)
    while rest:
        size = data.draw(st.integers(1, 8), label="batch")
        batch, rest = rest[:size], rest[size:]
        counted += [(max(row.time_us, engine.watermark_us), row) for row in batch]
        found += told(engine.advance(batch, data.draw(st.integers(-5, 70), label="watermark") * SECOND).matches)
        if data.draw(st.booleans(), label="restart"):
            fresh = Engine(TYPES, {"p": rule}, ZONE)
            fresh.restore("p", engine.save("p"))
            fresh.watermark_us, fresh.held = engine.watermark_us, engine.held
            engine = fresh
    end = 200 * SECOND
    found += told(engine.advance([], end).matches)
    counted.sort(key=lambda one: (one[0], one[1].number))
    assert len(found) == len(set(found))
    assert set(found) == reference(rule.condition, counted, end)


@settings(max_examples=25, deadline=None)
@given(rows=streams(), data=st.data())
def test_the_order_of_arrival_within_the_lateness_changes_nothing(rows: list[EventRow], data: st.DataObject) -> None:
    points = {str(index): point(condition) for index, condition in enumerate(CONDITIONS.values())}
    results = []
    for arrival in (rows, data.draw(st.permutations(rows))):
        engine = Engine(TYPES, points, ZONE)
        outcome = engine.advance(arrival[: len(arrival) // 2], BEGINNING_US)
        matches = outcome.matches + engine.advance(arrival[len(arrival) // 2 :], 100 * SECOND).matches
        results.append({(match.rule, match.trigger, match.partner) for match in matches})
    assert results[0] == results[1]


def binomial_tail(part: int, whole: int, limit: float) -> float:
    return sum(math.comb(whole, i) * limit**i * (1 - limit) ** (whole - i) for i in range(part, whole + 1))


def fisher_tail(part: int, whole: int, parts: int, everything: int) -> float:
    top = min(whole, parts)
    ways = sum(math.comb(parts, i) * math.comb(everything - parts, whole - i) for i in range(part, top + 1))
    return float(Fraction(ways, math.comb(everything, whole)))


def rate_events(groups: dict[str, tuple[int, int]], start_us: int = 0) -> list[EventRow]:
    rows = []
    for name, (part, whole) in groups.items():
        for index in range(whole):
            fields = json.dumps({"key": name, "bad": index < part, "value": index})
            rows.append(EventRow(len(rows) + 1, "a", start_us + index, name, "", fields))
    return rows


RATE = {
    "kind": "statistic", "measure": "rate", "of": {"event": "a"}, "which": [{"field": "bad", "equals": True}],
    "group": ["actor"], "window": "10 s", "every": "10 s", "factor": 1.5, "minimum": 20, "significance": 0.01,
}  # fmt: skip


PARTS = st.tuples(st.integers(0, 30), st.integers(1, 30)).map(lambda pair: (min(pair), max(pair)))
GROUPS = st.dictionaries(st.sampled_from(["li", "wang", "zhao", "sun"]), PARTS, min_size=1)


@settings(max_examples=25, deadline=None)
@given(groups=GROUPS)
def test_rates_are_judged_by_exact_tests(groups: dict[str, tuple[int, int]]) -> None:
    rows = rate_events(groups)
    parts, everything = sum(part for part, _ in groups.values()), sum(whole for _, whole in groups.values())
    tested = {
        name for name, (_, whole) in groups.items()
        if whole >= 20 and everything - whole >= 20 and len(groups) >= 3
    }  # fmt: skip
    expected = {
        name for name in tested
        if fisher_tail(*groups[name], parts, everything) <= 0.01 / len(tested)
        and groups[name][0] / groups[name][1]
        >= 1.5 * (parts - groups[name][0]) / (everything - groups[name][1])
    }  # fmt: skip
    found = Engine(TYPES, {"p": point(RATE)}, ZONE).advance(rows, 100 * SECOND).matches
    by_number = {row.number: row.actor for row in rows}
    assert {by_number[match.number] for match in found} == expected
    tested = {name for name, (_, whole) in groups.items() if whole >= 20}
    limited = point({**RATE, "against": "limit", "limit": 0.1})
    found = Engine(TYPES, {"p": limited}, ZONE).advance(rows, 100 * SECOND).matches
    assert {by_number[match.number] for match in found} == {
        name for name in tested
        if binomial_tail(*groups[name], 0.1) <= 0.01 / len(tested) and groups[name][0] / groups[name][1] >= 0.15
    }  # fmt: skip


def test_a_small_sample_never_stands_out() -> None:
    rows = rate_events({"li": (19, 19), "wang": (0, 300), "zhao": (0, 300)})
    assert Engine(TYPES, {"p": point(RATE)}, ZONE).advance(rows, 100 * SECOND).matches == []
    two = rate_events({"li": (30, 30), "wang": (0, 300)})
    assert Engine(TYPES, {"p": point(RATE)}, ZONE).advance(two, 100 * SECOND).matches == []


def test_statistics_do_not_depend_on_batches_and_survive_a_restart() -> None:
    parts = {"li": (25, 30), "wang": (2, 30), "zhao": (1, 30)}
    rows = [row for start in range(5) for row in rate_events(parts, start * 5 * SECOND)]
    rows = [row._replace(number=index + 1) for index, row in enumerate(rows)]
    shapes = [
        point({**RATE, "window": "20 s", "every": "5 s"}),
        point({**RATE, "measure": "mean", "which": [], "field": "value", "window": "20 s", "every": "5 s",
               "direction": "below", "factor": 1}),
    ]  # fmt: skip
    for rule in shapes:
        whole = Engine(TYPES, {"p": rule}, ZONE).advance(rows, 100 * SECOND).matches
        pieces: list[Match] = []
        engine = Engine(TYPES, {"p": rule}, ZONE)
        for start in range(0, len(rows), 37):
            part = rows[start : start + 37]
            pieces += engine.advance(part, part[-1].time_us - 6 * SECOND).matches
            fresh = Engine(TYPES, {"p": rule}, ZONE)
            fresh.restore("p", engine.save("p"))
            fresh.watermark_us, fresh.held = engine.watermark_us, engine.held
            engine = fresh
        pieces += engine.advance([], 100 * SECOND).matches
        assert pieces == whole
    wholes = [match.facts["whole"] for match in Engine(TYPES, {"p": shapes[0]}, ZONE).advance(rows, 10**9).matches]
    assert wholes == [30, 60, 90, 120, 120]


def test_the_same_officer_at_one_company_stands_out() -> None:
    concentration = point(
        {"kind": "statistic", "measure": "concentration", "of": {"event": "a"}, "group": ["actor", "key"],
         "window": "10 s", "every": "10 s", "factor": 2, "minimum": 10}
    )  # fmt: skip
    rows = []
    for index in range(400):
        company = f"c{index % 20}"
        officer = "li" if company == "c7" else ("li", "wang", "zhao", "sun")[index % 3 + 1]
        rows.append(EventRow(index + 1, "a", index, officer, "", json.dumps({"key": company})))
    found = Engine(TYPES, {"p": concentration}, ZONE).advance(rows, 100 * SECOND).matches
    assert [(rows[match.number - 1].actor, match.facts["part"], match.facts["whole"]) for match in found] == [
        ("li", 20, 20)
    ]


def test_work_that_is_heard_of_later_was_not_done_in_a_burst() -> None:
    quick = Engine(TYPES, {"p": point(CONDITIONS["sequence"]), "q": point(CONDITIONS["threshold of a count"])}, ZONE)
    quick.advance([], 3600 * SECOND)
    offline = [
        EventRow(1, "a", 0, "li", "", '{"key": "k"}'),
        EventRow(2, "a", 300 * SECOND, "li", "", '{"key": "k"}'),
        EventRow(3, "b", 900 * SECOND, "li", "", '{"key": "k", "bad": true}'),
        EventRow(4, "a", 901 * SECOND, "li", "", '{"key": "k"}'),
    ]
    outcome = quick.advance(offline, 3601 * SECOND)
    assert outcome.late == offline
    assert outcome.matches == []
    really = [row._replace(number=row.number + 4, time_us=1000 * SECOND + row.number * SECOND) for row in offline]
    assert {match.trigger for match in quick.advance(really, 3602 * SECOND).matches} == {"7", "8"}


def test_late_events_are_told_and_count_at_the_watermark() -> None:
    engine = Engine(TYPES, {"p": point(CONDITIONS["absence after"])}, ZONE)
    first = EventRow(1, "a", 0, "li", "", '{"key": "k"}')
    answer = EventRow(2, "b", 5 * SECOND, "li", "", '{"key": "k", "bad": true}')
    assert engine.advance([first], 8 * SECOND).matches == []
    outcome = engine.advance([answer], 9 * SECOND)
    assert outcome.late == [answer]
    assert engine.advance([], 60 * SECOND).matches == []


def test_hashes_are_the_same_everywhere_and_do_not_depend_on_their_neighbours() -> None:
    assert text_hashes(["", "li", "口岸"]).tolist() == text_hashes(["", "li", "口岸", "x" * 400]).tolist()[:3]
    assert text_hashes(["", "li"]).tolist() == [0, 4884916304629530956]
    assert len(set(text_hashes([f"order-{index}" for index in range(200_000)]).tolist())) == 200_000


def test_what_is_packed_comes_back() -> None:
    arrays = {"a": np.arange(3, dtype=np.uint64), "b.c": np.empty((0, 2), np.float64)}
    back = unpack(pack(arrays))
    assert {name: (array.dtype, array.shape, array.tolist()) for name, array in back.items()} == {
        name: (array.dtype, array.shape, array.tolist()) for name, array in arrays.items()
    }


def test_memory_is_bounded_and_says_what_it_may_have_forgotten() -> None:
    rule = point(CONDITIONS["absence before"])
    engine = Engine(TYPES, {"p": rule}, ZONE)
    memory = LatestByKey(maximum=500)
    engine._detectors["p"]._expected = memory  # type: ignore[attr-defined]  # a small memory for the test
    seen = [EventRow(i, "b", i * 1000, "li", "", json.dumps({"key": f"k{i}", "bad": True})) for i in range(1, 4000)]
    engine.advance(seen, 4 * SECOND)
    assert len(memory.key) <= 500
    forgotten = EventRow(5000, "a", 5 * SECOND, "li", "", '{"key": "k1"}')
    assert engine.advance([forgotten], 6 * SECOND).matches == []
    later = EventRow(5001, "a", 20 * SECOND, "li", "", '{"key": "k1"}')
    assert told(engine.advance([later], 21 * SECOND).matches) == [("5001", None)]
