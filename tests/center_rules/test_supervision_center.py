"""Supervision in a running center: events become cases once, cases are handled fairly, on both databases."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from inspection_center.auth import accounts
from inspection_center.clock import now_text
from inspection_center.database.writer import StorageError, Transaction
from inspection_center.settings import Settings, SupervisionSettings
from inspection_center.supervision import queries, statistics, tables, timers
from inspection_center.supervision.cases import microseconds_of, take_in
from inspection_center.supervision.conditions import Match
from inspection_center.supervision.events import BusinessEvent, emit, emit_all, set_unit
from inspection_center.supervision.following import PositionMoved, Supervision
from inspection_contract.client import CenterClient
from inspection_contract.events import Fault, OrderProgress
from inspection_contract.fields import EvidenceReference
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.center.test_pages import csrf, incident, report
from tests.contract.builders import detection

FIELDS = {"draw": "w1", "to_officer": "li", "reason": "ill"}


@pytest.fixture
def running(tmp_path: Any, database_url: str) -> Any:
    """A center that judges at once, on each database; its own rounds are so far apart that only the test's count."""
    settings = Settings(database_url=database_url, supervision=SupervisionSettings(lateness_s=0, interval_s=60))
    with RunningCenter(tmp_path / "center", settings) as center:
        yield center


def tell(running: RunningCenter, event_type: str, actor: str = "", time: datetime | None = None, **fields: Any) -> None:
    running.center.writer.run(lambda transaction: emit(transaction, event_type, actor, time=time, **fields))


def judge(running: RunningCenter) -> None:
    running.center.supervision.catch_up()
    running.center.supervision.catch_up()  # What was told in the first round has passed by the second.


def cases(running: RunningCenter, reader: str = "") -> list[dict[str, Any]]:
    with running.center.engine.connect() as connection:
        return queries.list_cases(connection, reader, queries.CASE_STATES)


def only_case(running: RunningCenter) -> dict[str, Any]:
    (found,) = cases(running)
    return found


def people(running: RunningCenter) -> None:
    for name, role in (("li", "officer"), ("wang", "supervisor"), ("zhao", "supervisor"), ("sun", "auditor")):
        running.add_account(name, role)


def grave_case(running: RunningCenter) -> str:
    """A case of tier 3 about li, at the level of the port."""
    tell(running, "draw.assignment_changed", "li", **FIELDS)
    judge(running)
    return str(only_case(running)["id"])


def test_an_event_opens_one_case_in_the_hands_of_somebody_else(running: RunningCenter) -> None:
    people(running)
    tell(running, "draw.assignment_changed", "wang", draw="w1", to_officer="wang", reason="ill")
    judge(running)
    case = only_case(running)
    assert (case["rule"], case["matter"], case["tier"]) == ("assignment_taken_by_himself", "w1 · wang", 3)
    assert (case["level"], case["assignee"], case["state"]) == ("port", "zhao", "open")
    assert cases(running, "wang") == []
    judge(running)
    assert len(cases(running)) == 1


def test_the_same_matter_again_adds_to_the_open_case(running: RunningCenter) -> None:
    people(running)
    for _ in range(3):
        tell(running, "draw.assignment_changed", "li", **FIELDS)
        judge(running)
    case = only_case(running)
    with running.center.engine.connect() as connection:
        shown = queries.show_case(connection, case["id"])
    assert len(shown["occurrences"]) == 3
    assert [deed["action"] for deed in shown["deeds"]].count("met_again") == 2


def test_a_case_goes_to_a_supervisor_of_the_officers_unit_with_the_least_to_do(running: RunningCenter) -> None:
    people(running)
    for name, unit in (("li", "north"), ("zhao", "north"), ("wang", "south")):
        running.center.writer.run(lambda transaction, name=name, unit=unit: set_unit(transaction, name, unit))
    tell(running, "order.step_skipped", "li", order="o1", step="4", required=True)
    judge(running)
    assert (only_case(running)["assignee"], only_case(running)["unit"]) == ("zhao", "north")
    tell(running, "draw.assignment_changed", "li", **FIELDS)
    judge(running)
    assert {case["assignee"] for case in cases(running)} == {"zhao", "wang"}


def test_a_case_about_the_only_supervisor_goes_up_to_the_auditor(running: RunningCenter) -> None:
    running.add_account("wang", "supervisor")
    running.add_account("sun", "auditor")
    tell(running, "draw.assignment_changed", "wang", draw="w1", to_officer="wang", reason="x")
    judge(running)
    assert (only_case(running)["level"], only_case(running)["assignee"]) == ("audit", "sun")


def test_without_anybody_the_case_waits_in_nobodys_hands(running: RunningCenter) -> None:
    grave_case(running)
    assert only_case(running)["assignee"] is None


def restarted(running: RunningCenter) -> Supervision:
    center = running.center
    return Supervision.open(center.engine, center.writer, center.settings.supervision)


def test_a_restart_at_any_moment_neither_loses_nor_doubles_a_case(
    running: RunningCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(running)
    start = datetime.now(UTC) - timedelta(days=3)

    def told(transaction: Transaction) -> None:
        events = []
        for index in range(40):
            moment = start + timedelta(minutes=index)
            order = {"order": f"o{index // 2}"}
            kind = "order.started" if index % 2 == 0 else "order.cancelled"
            events.append(BusinessEvent(kind, "li", order, "", moment))
        emit_all(transaction, events)

    running.center.writer.run(told)
    step = 0
    supervision = restarted(running)
    supervision._page = 7
    store = Supervision._store

    def dies(self: Supervision, transaction: Transaction, *arguments: Any) -> None:
        nonlocal step
        step += 1
        store(self, transaction, *arguments)
        if step % 2:
            raise StorageError("killed before the commit")

    monkeypatch.setattr(Supervision, "_store", dies)
    for _ in range(30):
        try:
            supervision.round()
        except StorageError:
            supervision = restarted(running)
            supervision._page = 7
    assert step > 10
    assert sorted(case["matter"] for case in cases(running)) == sorted(f"o{index}" for index in range(20))
    with running.center.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.occurrence)).scalar() == 20


def test_what_waits_for_its_time_survives_a_restart(running: RunningCenter) -> None:
    people(running)

    def patient() -> Supervision:
        center = running.center
        return Supervision.open(center.engine, center.writer, SupervisionSettings(lateness_s=3600))

    judge(running)
    tell(running, "order.started", "li", time=datetime.now(UTC) - timedelta(hours=7), order="o1")
    tell(running, "order.started", "li", time=datetime.now(UTC) + timedelta(hours=5), order="o2")
    patient().catch_up()
    with running.center.engine.connect() as connection:
        held = queries.position(connection)
    assert held is not None
    assert held["held"] == "[2]"
    later = patient()
    rules = later._restore()
    assert [(row.number, row.time_us < datetime.now(UTC).timestamp() * 1e6) for row in rules.held] == [(2, True)]
    found = rules.advance([], rules.watermark_us + 8 * 3600 * 10**6 + 1)
    assert [(match.rule, match.trigger) for match in found.matches] == [("order_not_finished", "1")]


def test_another_instance_that_read_on_wins(running: RunningCenter) -> None:
    people(running)
    first, second = restarted(running), restarted(running)
    first.catch_up()
    second.catch_up()
    tell(running, "draw.assignment_changed", "li", **FIELDS)
    first.round()
    with pytest.raises(PositionMoved):
        second._round()
    second._rules = None
    second.catch_up()
    assert len(cases(running)) == 1


def test_a_missing_event_that_comes_late_takes_the_case_back(running: RunningCenter) -> None:
    people(running)
    now = datetime.now(UTC)
    tell(running, "release.given", "li", declaration="d1", kind="inspected")
    judge(running)
    assert only_case(running)["rule"] == "release_without_result"
    tell(running, "result.filed", "wang", declaration="d1", order="", unfit=True)
    tell(running, "result.filed", "wang", declaration="d2", order="", unfit=True, time=now - timedelta(hours=1))
    judge(running)
    assert only_case(running)["state"] == "open"
    tell(running, "result.filed", "wang", declaration="d1", order="", unfit=True, time=now - timedelta(hours=1))
    judge(running)
    assert (only_case(running)["state"], only_case(running)["outcome"]) == ("withdrawn", "answered_late")


def test_a_case_rises_level_by_level_and_becomes_overdue_once(running: RunningCenter) -> None:
    people(running)
    tell(running, "order.step_skipped", "li", order="o1", step="4", required=True)
    judge(running)
    identity, first = only_case(running)["id"], only_case(running)["assignee"]

    def hurry(transaction: Transaction) -> None:
        past = now_text(-timedelta(minutes=1))
        transaction.connection.execute(update(tables.case).values(due=past, escalates=past))

    levels = []
    for _ in range(4):
        running.center.writer.run(hurry)
        running.center.supervision.ring()
        levels.append((only_case(running)["level"], only_case(running)["assignee"]))
    assert levels[0] == ("port", "zhao" if first == "wang" else "wang")
    assert levels[1:] == [("audit", "sun")] * 3
    with running.center.engine.connect() as connection:
        actions = [deed["action"] for deed in queries.show_case(connection, identity)["deeds"]]
        assert not timers.due(connection) or only_case(running)["overdue"]
    assert (actions.count("overdue"), actions.count("escalated")) == (1, 2)


def post(http: httpx.Client, place: str, **data: str) -> httpx.Response:
    return http.post(place, data={**csrf(http), **data})


def test_the_person_concerned_sees_answers_and_handles_nothing(running: RunningCenter) -> None:
    people(running)
    tell(running, "draw.assignment_changed", "wang", draw="w1", to_officer="wang", reason="ill")
    judge(running)
    identity = only_case(running)["id"]
    with running.browser("wang") as wang, running.browser("li") as li, running.browser("zhao") as zhao:
        assert identity not in wang.get("/supervision").text
        assert wang.get(f"/supervision/cases/{identity}").status_code == 403
        assert post(wang, f"/supervision/cases/{identity}/take").status_code == 403
        assert post(wang, f"/supervision/cases/{identity}/notes", text="it was not me").status_code == 403
        assert identity in wang.get("/supervision/mine").text
        assert li.get(f"/supervision/mine/{identity}").status_code == 404
        assert post(li, f"/supervision/mine/{identity}/answer", text="x").status_code == 404
        assert li.get("/supervision").status_code == 403
        post(zhao, f"/supervision/cases/{identity}/notes", text="asked the shift leader in confidence")
        post(zhao, f"/supervision/cases/{identity}/notes", text="please bring the roster", open_to_concerned="yes")
        own = wang.get(f"/supervision/mine/{identity}").text
        assert "please bring the roster" in own
        assert "in confidence" not in own
        assert "to_officer: wang" in own
        assert post(wang, f"/supervision/mine/{identity}/answer", text="<b>the roster was empty</b>").status_code == 200
        shown = zhao.get(f"/supervision/cases/{identity}").text
        assert "&lt;b&gt;the roster was empty" in shown
        looks = re.findall(r"case\.viewed", wang.get("/audit").text + zhao.get("/audit").text)
        assert looks or "Case" in zhao.get("/audit").text


def test_a_violation_waits_for_the_answer_and_for_a_second_person(running: RunningCenter) -> None:
    people(running)
    identity = grave_case(running)
    handler, second = ("wang", "zhao") if only_case(running)["assignee"] == "wang" else ("zhao", "wang")
    place = f"/supervision/cases/{identity}"
    reason = "the roster shows that he was not on duty"
    with running.browser(handler) as one, running.browser(second) as other, running.browser("li") as li:
        assert post(one, f"{place}/closing", outcome="violation", reason=reason).status_code == 409
        assert post(one, f"{place}/closing", outcome="no_fault", reason="no").status_code == 422
        assert post(other, f"{place}/closing", outcome="no_fault", reason=reason).status_code == 403
        post(li, f"/supervision/mine/{identity}/answer", text="I was asked to")
        assert post(one, f"{place}/closing", outcome="violation", reason=reason).status_code == 200
        assert only_case(running)["state"] == "proposed"
        assert reason not in li.get(f"/supervision/mine/{identity}").text
        assert post(one, f"{place}/confirmation").status_code == 403
        assert post(li, f"{place}/confirmation").status_code == 403
        assert post(other, f"{place}/refusal", reason="ask the other shift too").status_code == 200
        assert only_case(running)["state"] == "open"
        post(one, f"{place}/closing", outcome="violation", reason=reason)
        post(li, f"/supervision/mine/{identity}/answer", text="one more thing")
        assert only_case(running)["state"] == "open"
        post(one, f"{place}/closing", outcome="violation", reason=reason)
        assert post(other, f"{place}/confirmation").status_code == 200
        assert post(other, f"{place}/confirmation").status_code == 409
        assert reason in li.get(f"/supervision/mine/{identity}").text
        assert post(li, f"/supervision/mine/{identity}/answer", text="too late").status_code == 409
    assert (only_case(running)["state"], only_case(running)["outcome"]) == ("closed", "violation")


def test_a_handler_whom_the_case_comes_to_concern_loses_it(running: RunningCenter) -> None:
    people(running)
    tell(running, "draw.committed", "", draw="w1")
    tell(running, "draw.made", "", draw="w1", seconds_since_commitment=0.5)
    judge(running)
    first = only_case(running)["assignee"]
    tell(running, "draw.made", first, draw="w1", seconds_since_commitment=0.5)
    judge(running)
    assert only_case(running)["assignee"] not in (first, None)


def test_programs_read_but_handle_nothing(running: RunningCenter) -> None:
    people(running)
    identity = grave_case(running)
    token = running.service_token("supervisor")
    with httpx.Client(
        base_url=f"{running.url}/api/v1/supervision", headers={"Authorization": f"Bearer {token}"}
    ) as http:
        assert [case["id"] for case in http.get("/cases").json()] == [identity]
        assert http.get(f"/cases/{identity}").json()["concerned"] == [{"account": "li", "answered": None}]
        assert http.post(f"/cases/{identity}/take").status_code == 403
        assert http.get("/own").json() == []
        assert len(http.get("/points").json()) == 60


def test_rates_are_told_by_unit_and_officer_and_not_of_a_few(running: RunningCenter) -> None:
    people(running)

    def told(transaction: Transaction) -> None:
        emit_all(
            transaction,
            [
                BusinessEvent("result.filed", name, {"order": f"{name}{i}", "unfit": i < unfit, "outcome": "x"}, unit)
                for name, unit, number, unfit in (
                    ("li", "north", 40, 10),
                    ("=evil", "north", 19, 19),
                    ("wang", "", 1, 0),
                )
                for i in range(number)
            ],
        )

    running.center.writer.run(told)
    judge(running)
    judge(running)
    with running.browser("sun") as sun:
        answer = sun.get("/api/v1/supervision/statistics?by=officer").json()
        rates = {row["officer"]: row["rates"]["interception_rate"] for row in answer["rows"]}
        assert rates["li"]["rate"] == 0.25
        assert 0.13 < rates["li"]["low"] < 0.25 < rates["li"]["high"] < 0.42
        assert rates["=evil"] is None
        units = {row["unit"]: row for row in sun.get("/api/v1/supervision/statistics?by=unit").json()["rows"]}
        assert (units["north"]["inspections"], units["north"]["interceptions"]) == (59, 29)
        table = sun.get("/supervision/statistics.csv?by=officer").text
        assert table.splitlines()[0].startswith("officer,inspections,interceptions,")
        assert "'=evil,19,19" in table
        page = sun.get("/supervision/statistics", headers={"Accept-Language": "zh"}).text
        assert "查获率" in page
        assert "样本太少" in page


def told(running: RunningCenter) -> list[tuple[str, str, dict[str, Any]]]:
    table = tables.enforcement_event
    with running.center.engine.connect() as connection:
        rows = connection.execute(select(table.c.type, table.c.actor, table.c.data).order_by(table.c.number)).all()
    return [(row[0], row[1], json.loads(row[2])) for row in rows]


def test_an_alert_tells_how_it_was_handled(running: RunningCenter) -> None:
    found = detection()
    case = incident(detections=[found.uuid])
    report(running, found, case)
    running.add_account("wang", "supervisor")
    place = f"/alerts/{case.uuid}"
    with running.browser("wang") as wang:
        wang.get("/watchlist")
        wang.get(place)
        post(wang, f"{place}/claim")
        post(wang, f"{place}/decision", verdict="dismiss", reason="sun")
    names = ("alert.", "session.", "watchlist.")
    everything = [one for one in told(running) if one[0].startswith(names)]
    assert [kind for kind, _, _ in everything].index("alert.viewed") == 5  # before it was claimed
    decided = [one for one in everything if one[0] != "alert.viewed"]
    assert [(kind, actor) for kind, actor, _ in decided] == [
        ("alert.opened", ""), ("alert.opened", ""), ("alert.withdrawn", ""), ("session.begun", "wang"),
        ("watchlist.viewed", "wang"), ("alert.claimed", "wang"), ("alert.dismissed", "wang"),
    ]  # fmt: skip
    assert decided[2][2]["alert"] == str(found.uuid)
    assert decided[-1][2]["alert"] == str(case.uuid)
    assert decided[-1][2]["reason_characters"] == 3


def test_an_alert_dismissed_unseen_opens_a_case(running: RunningCenter) -> None:
    evidence = EvidenceReference(sha256="0" * 64, media_type="image/png", size_bytes=1, role="photo")
    found = detection(evidence=(evidence,))
    report(running, found)
    running.add_account("li", "officer")
    running.add_account("wang", "supervisor")
    with running.browser("li") as li:
        post(li, f"/alerts/{found.uuid}/decision", verdict="dismiss", reason="surely the sun")
    judge(running)
    assert "alert_dismissed_unseen" in {case["rule"] for case in cases(running)}


def test_a_robots_order_and_stop_tell_what_happens(running: RunningCenter) -> None:
    robot = running.enrol()
    running.add_account("wang", "supervisor")
    token = running.service_token("supervisor")
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {token}"}) as http:
        given = http.post("/api/v1/orders", json={"robot": "robot_1", "kind": "inspection"}).json()["order_id"]
    stamp = datetime.now(UTC)
    steps: list[dict[str, Any]] = [{"id": str(n), "kind": "seal", "state": "open"} for n in range(1, 3)]

    def progress(state: str, *states: str) -> OrderProgress:
        shown = [{**step, "state": one} for step, one in zip(steps, states, strict=True)]
        return OrderProgress.model_validate(
            {"order_id": given, "revision": 1, "stamp": stamp, "state": state, "steps": shown}
        )

    bodies = [
        progress("running", "open", "open"),
        progress("running", "done", "open"),
        progress("done", "done", "skipped"),
        Fault(stamp=stamp, code="emergency_stop", severity=2, source="drive", text="by hand", active=True),
        Fault(stamp=stamp, code="lidar", severity=2, source="drive", text="dark", active=True),
        Fault(stamp=stamp, code="lidar", severity=2, source="drive", text="", active=False),
    ]
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, bodies))
    kinds = [kind for kind, _, fields in told(running) if fields.get("order") == given or fields.get("robot")]
    assert kinds == [
        "order.given", "order.started", "order.step_done", "order.step_skipped", "order.finished",
        "robot.emergency_stopped", "robot.fault", "robot.fault_cleared",
    ]  # fmt: skip


def test_a_person_can_be_erased_and_what_was_counted_stays(running: RunningCenter) -> None:
    people(running)
    grave_case(running)
    tell(running, "result.filed", "li", order="o1", unfit=True, second_officer="zhao")
    judge(running)
    erased = running.center.writer.run(lambda transaction: accounts.erase(transaction, "test", "li"))
    assert erased >= 0
    with running.center.engine.connect() as connection:
        book = running.center.supervision.book
        rows = {row["officer"]: row for row in statistics.rates(connection, book, "2020-01-01", "officer")}
        everything = [
            str(row)
            for table in (
                tables.enforcement_event,
                tables.occurrence,
                tables.case,
                tables.concerned,
                tables.daily_count,
            )
            for row in connection.execute(select(table))
        ]
    assert rows[""]["interceptions"] == 1
    assert "li" not in rows
    assert not [row for row in everything if "'li'" in row or '"li"' in row or "· li" in row]


def test_a_closed_statistic_opens_again_only_for_a_fresh_window(running: RunningCenter) -> None:
    people(running)
    book = running.center.supervision.book
    tell(running, "result.filed", "li", order="o1", unfit=False)
    day = 86_400_000_000
    closed = microseconds_of(now_text())

    def take(start_us: int, trigger: str) -> int:
        facts = {"window_start_us": start_us, "window_end_us": start_us + day, "rate": 0.0}
        match = Match("finds_less_than_peers", trigger, start_us + day, 1, facts=facts)
        return len(running.center.writer.run(lambda transaction: take_in(transaction, book, [match])))

    assert take(closed - day, "1") == 1
    running.center.writer.run(
        lambda transaction: transaction.connection.execute(
            update(tables.case).values(state="closed", closed=now_text())
        )
    )
    assert take(closed - day, "2") == 0
    assert take(closed + day, "3") == 1
    assert take(closed + day, "3") == 0


def test_a_laboratory_tells_its_results_once_and_only_what_is_its_own(running: RunningCenter) -> None:
    people(running)
    token = running.service_token("supervisor")
    place = "/api/v1/supervision/events"
    sample = {"sample": "s1", "declaration": "d1", "unfit": True}
    batch = {"first": 1, "events": [{"type": "sample.taken", "actor": "li", "fields": {"sample": "s1"}},
                                    {"type": "sample.result", "fields": sample}]}  # fmt: skip
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {token}"}) as http:
        assert http.post(place, json=batch).json() == {"stored": 2, "duplicates": 0}
        assert http.post(place, json=batch).json() == {"stored": 0, "duplicates": 2}
        assert http.post(place, json={**batch, "first": 4}).json() == {"detail": "the center expects number 3"}
        forged = {"first": 3, "events": [{"type": "case.closed", "fields": {}}]}
        assert http.post(place, json=forged).status_code == 422
        unknown = {"first": 3, "events": [{"type": "sample.result", "fields": {"color": "red"}}]}
        assert http.post(place, json=unknown).status_code == 422
    with running.browser("wang") as wang:
        header = {"X-CSRF-Token": csrf(wang)["csrf"]}
        assert wang.post(place, json=batch, headers=header).status_code == 403
    tell(running, "release.given", "li", declaration="d1", kind="documents")
    judge(running)
    assert {case["rule"] for case in cases(running)} == {"powerful_token_made", "released_despite_unfit_sample"}


@pytest.mark.parametrize(
    ("event_type", "fields", "fault"),
    [
        ("order.invented", {}, "no event type"),
        ("order.started", {"color": "red"}, "no field color"),
        ("order.step_done", {"seconds": float("nan")}, "is number"),
        ("order.step_skipped", {"required": 1}, "is flag"),
    ],
)
def test_an_event_that_the_catalogue_does_not_know_is_a_fault(
    running: RunningCenter, event_type: str, fields: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        tell(running, event_type, "li", **fields)
