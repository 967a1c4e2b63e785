"""How fast supervision is: a made-up inspection day through all risk points, from columns and from the database."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from inspection_center.clock import text
from inspection_center.database.bulk import insert_rows
from inspection_center.database.engine import open_engine, prepare
from inspection_center.database.writer import Transaction, Writer
from inspection_center.settings import SupervisionSettings
from inspection_center.supervision import tables
from inspection_center.supervision.columns import EventRow
from inspection_center.supervision.engine import Engine
from inspection_center.supervision.following import Supervision, rule_book

_COLUMNS = ("type", "time", "recorded", "actor", "unit", "data")
_BATCH = 50_000
_OFFICERS, _COMPANIES = 200, 2_000
_SEED = 9


def measure(events: int) -> dict[str, float | int]:
    """Judge a made-up stream by all shipped risk points, once in memory and once through the database.

    Args:
        events: how many.

    Returns:
        Rates by wall clock, processor seconds, matches, cases, and the largest memory that all rules saved.
    """
    book = rule_book()
    rows = list(made_up_day(events))
    rules = Engine(book.types, book.points, Supervision.zone_of(SupervisionSettings()))
    matches, remembered = 0, 0
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        matches += len(rules.advance(batch, batch[-1].time_us - 60_000_000).matches)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    remembered = sum(len(rules.save(name)) for name in book.points)
    with tempfile.TemporaryDirectory() as folder:
        stored_wall, stored_cpu, cases = _through_database(Path(folder), rows)
    return {
        "supervision_points": len(book.points),
        "supervision_events": len(rows),
        "supervision_matches": matches,
        "supervision_events_per_s": round(len(rows) / wall),
        "supervision_cpu_s": round(cpu, 2),
        "supervision_events_per_cpu_s": round(len(rows) / cpu),
        "supervision_memory_bytes": remembered,
        "supervision_stored_events_per_s": round(len(rows) / stored_wall),
        "supervision_stored_cpu_s": round(stored_cpu, 2),
        "supervision_cases": cases,
    }


def _through_database(folder: Path, rows: list[EventRow]) -> tuple[float, float, int]:
    engine = open_engine(f"sqlite:///{folder / 'center.db'}")
    prepare(engine, folder)
    writer = Writer(engine)

    def store(transaction: Transaction, part: list[EventRow]) -> None:
        origin = datetime.fromtimestamp(0, UTC)
        stored = []
        for row in part:
            moment = text(origin + timedelta(microseconds=row.time_us))
            stored.append((row.type, moment, moment, row.actor, row.unit, row.data))
        insert_rows(transaction.connection, tables.enforcement_event, _COLUMNS, stored)

    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        writer.run(lambda transaction, part=part: store(transaction, part))  # type: ignore[misc]
    supervision = Supervision.open(engine, writer, SupervisionSettings())
    wall, cpu = time.perf_counter(), time.process_time()
    supervision.catch_up()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with engine.connect() as connection:
        cases = connection.execute(tables.case.select().with_only_columns(tables.case.c.id)).all()
    writer.close()
    engine.dispose()
    return wall, cpu, len(cases)


def made_up_day(events: int) -> Iterator[EventRow]:
    """Declarations on their way through an ordinary port, with an irregularity now and then; the same every time."""
    chance = random.Random(_SEED)
    start_us = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1e6)
    number, moment, serial = 0, start_us, 0
    waiting: list[tuple[int, int, str, str, dict[str, Any]]] = []
    while number < events:
        if not waiting or serial % 50:
            serial += 1
            moment += chance.randrange(500_000, 4_000_000)
            waiting.extend(_passage(chance, serial, moment))
        else:
            serial += 1
        if serial % 50 == 0:
            waiting.sort()
            ready = [one for one in waiting if one[0] <= moment]
            waiting = waiting[len(ready) :]
            for time_us, _, kind, actor, fields in ready:
                number += 1
                yield EventRow(number, kind, time_us, actor, f"unit{len(actor) % 7}", json.dumps(fields))
                if number == events:
                    return


def _passage(chance: random.Random, serial: int, start_us: int) -> list[tuple[int, int, str, str, dict[str, Any]]]:
    company = f"company{chance.randrange(_COMPANIES)}"
    goods = {"declaration": f"declaration{serial}", "company": company}
    about = {**goods, "order": f"order{serial}"}
    inspector, releaser = (f"officer{chance.randrange(_OFFICERS)}" for _ in range(2))
    irregular = chance.random() < 0.002
    unfit = chance.random() < 0.06
    second = 1_000_000
    steps = [(120 + 40 * index, "order.step_done", inspector, {
        **about, "step": str(index), "step_kind": kind, "seconds": 40.0, "evidence": 0 if irregular else 1,
    }) for index, kind in enumerate(("container_number", "seal", "goods", "packaging", "container"))]  # fmt: skip
    deeds: list[tuple[float, str, str, dict[str, Any]]] = [
        (0, "declaration.received", "", {**goods, "kind": "goods"}),
        (1, "risk.scored", "", {**goods, "score": chance.random()}),
        (5, "draw.selected", "", {**goods, "draw": f"draw{serial // 50}"}),
        (60, "order.given", "", {**about, "kind": "inspection", "officer": inspector, "due_minutes": 60}),
        (100, "order.started", inspector, about),
        *steps,
        (400, "order.finished", inspector, {**about, "state": "done", "seconds": 300.0 + chance.random() * 600}),
        (420, "result.filed", inspector, {**about, "unfit": unfit, "outcome": "x", "evidence": 5}),
    ]  # fmt: skip
    if not unfit or irregular:
        released = {**about, "kind": "inspected", "drawn": True, "level": "high"}
        deeds.append((900, "release.given", inspector if irregular else releaser, released))
    if chance.random() < 0.1:
        alert = {"alert": f"alert{serial}", "kind": "thermal.fever", "robot": "robot_1"}
        deeds += [
            (10, "alert.opened", "", {**alert, "severity": 3, "evidence": 1}),
            (30, "alert.claimed", inspector, alert),
            (50, "alert.viewed", inspector, {"alert": alert["alert"], "kind": alert["kind"], "evidence": 1}),
            (80, "alert.dismissed" if chance.random() < 0.4 else "alert.approved", inspector, alert),
        ]
    return [
        (start_us + int(at * second), serial * 100 + index, kind, actor, fields)
        for index, (at, kind, actor, fields) in enumerate(deeds)
    ]
