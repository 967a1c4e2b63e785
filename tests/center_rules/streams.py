"""Made-up streams of events for each shipped risk point: some that must open a case, some that must not.

An event is (moment, type, actor, fields). Moments are seconds after a Monday noon at the port.
"""

from __future__ import annotations

from typing import Any

Event = tuple[float, str, str, dict[str, Any]]
Stream = list[Event]
MIN, HOUR, DAY = 60.0, 3600.0, 86400.0
NIGHT = 12 * HOUR  # midnight at the port


def order(time: float, event: str, actor: str = "li", **fields: Any) -> Event:
    return (time, f"order.{event}", actor, {"order": "o1", "declaration": "d1", "company": "c1", **fields})


def steps(actor: str, done: int, skipped: int) -> Stream:
    return [
        (float(i), f"order.step_{'done' if i < done else 'skipped'}", actor, {"order": f"{actor}{i}", "step": "1"})
        for i in range(done + skipped)
    ]


def finished(actor: str, seconds: list[float]) -> Stream:
    return [
        (float(i), "order.finished", actor, {"order": f"{actor}{i}", "state": "done", "seconds": value})
        for i, value in enumerate(seconds)
    ]


def results(actor: str, number: int, unfit: int, company: str = "c") -> Stream:
    return [
        (float(i), "result.filed", actor,
         {"order": f"{actor}{i}", "declaration": f"d{actor}{i}", "company": company, "unfit": i < unfit})
        for i in range(number)
    ]  # fmt: skip


def decided(actor: str, approved: int, dismissed: int) -> Stream:
    return [
        (float(i), "alert.approved" if i < approved else "alert.dismissed", actor, {"alert": f"{actor}{i}"})
        for i in range(approved + dismissed)
    ]


def repeated(number: int, gap: float, event: str, actor: str, **fields: Any) -> Stream:
    return [(i * gap, event, actor, fields) for i in range(number)]


def deed(time: float, event: str, actor: str, **fields: Any) -> Event:
    return (time, event, actor, fields)


DONE = {"state": "done"}
GIVEN = {"kind": "inspection", "officer": "li"}
UNFIT = deed(0, "result.filed", "li", declaration="d1", company="c1", unfit=True)
FIT = deed(0, "result.filed", "li", declaration="d1", company="c1", order="o1", unfit=False)
LOWERED = deed(0, "risk.overridden", "li", declaration="d1", lowered=True)
DRAWN = deed(0, "draw.selected", "", declaration="d1", draw="w1")
OPENED = deed(0, "alert.opened", "", alert="a1", severity=3, evidence=1)

STREAMS: dict[str, tuple[list[Stream], list[Stream]]] = {
    "order_not_started": (
        [[order(0, "given", "wang", **GIVEN)],
         [order(0, "given", "wang", **GIVEN), order(2 * HOUR + 1, "started")],
         [order(0, "given", "wang", **GIVEN), order(60, "started", order="o2")]],
        [[order(0, "given", "wang", **GIVEN), order(HOUR, "started")],
         [order(0, "given", "wang", **GIVEN), order(HOUR, "cancelled")],
         [order(0, "given", "wang", kind="patrol")]],
    ),
    "order_not_finished": (
        [[order(0, "started")], [order(0, "started"), order(9 * HOUR, "finished", **DONE)]],
        [[order(0, "started"), order(7 * HOUR, "finished", state="failed")],
         [order(0, "started"), order(HOUR, "reassigned")]],
    ),
    "result_not_filed": (
        [[order(0, "finished", **DONE)],
         [order(0, "finished", **DONE), deed(5 * HOUR, "result.filed", "li", order="o1")]],
        [[order(0, "finished", **DONE), deed(HOUR, "result.filed", "li", order="o1")],
         [order(0, "finished", state="failed")], [order(0, "finished", state="done", declaration="")]],
    ),
    "required_step_skipped": (
        [[order(0, "step_skipped", step="4", required=True)]], [[order(0, "step_skipped", step="7", required=False)]],
    ),
    "steps_skipped_above_peers": (
        [[*steps("li", 30, 30), *steps("wang", 95, 5), *steps("zhao", 95, 5)]],
        [[*steps("li", 90, 10), *steps("wang", 90, 10), *steps("zhao", 90, 10)],
         [*steps("li", 5, 30), *steps("wang", 95, 5), *steps("zhao", 95, 5)],
         [*steps("li", 30, 30), *steps("wang", 95, 5)]],
    ),
    "inspection_too_short": (
        [[order(0, "started"), order(100, "finished", **DONE)]],
        [[order(0, "started"), order(181, "finished", **DONE)],
         [order(0, "started"), order(9, "finished", state="failed")],
         [order(0, "started"), order(9, "finished", order="o2", **DONE)]],
    ),
    "step_too_short": (
        [[order(0, "step_done", step_kind="seal", seconds=2)]],
        [[order(0, "step_done", step_kind="seal", seconds=30)], [order(0, "step_done", step_kind="go_to", seconds=2)],
         [order(0, "step_done", step_kind="seal")]],
    ),
    "steps_in_a_burst": (
        [[order(10 * i, "step_done", step=str(i)) for i in range(4)]],
        [[order(20 * i, "step_done", step=str(i)) for i in range(4)],
         [order(i, "step_done", step=str(i), order=f"o{i}") for i in range(4)],
         [order(i, "step_done", step=str(i)) for i in range(3)]],
    ),
    "step_without_evidence": (
        [[order(0, "step_done", step_kind="seal", evidence=0)]],
        [[order(0, "step_done", step_kind="seal", evidence=1)], [order(0, "step_done", step_kind="result", evidence=0)],
         [order(0, "step_done", step_kind="seal")]],
    ),
    "order_cancelled_after_start": (
        [[order(0, "started"), order(HOUR, "cancelled")]],
        [[order(0, "given", **GIVEN), order(HOUR, "cancelled")], [order(0, "cancelled"), order(HOUR, "started")]],
    ),
    "order_reassigned_repeatedly": (
        [[order(0, "reassigned"), order(HOUR, "reassigned")]],
        [[order(0, "reassigned")], [order(0, "reassigned"), order(25 * HOUR, "reassigned")],
         [order(0, "reassigned"), order(HOUR, "reassigned", order="o2")]],
    ),
    "inspections_shorter_than_peers": (
        [[*finished("li", [300.0 + i for i in range(25)]), *finished("wang", [1500.0 + i for i in range(25)]),
          *finished("zhao", [1400.0 + i for i in range(25)])]],
        [[*finished("li", [1300.0 + i for i in range(25)]), *finished("wang", [1500.0 + i for i in range(25)]),
          *finished("zhao", [1400.0 + i for i in range(25)])],
         [*finished("li", [300.0 + i for i in range(19)]), *finished("wang", [1500.0 + i for i in range(25)]),
          *finished("zhao", [1400.0 + i for i in range(25)])],
         # One day of very short ones among ordinary ones moves no median.
         [*finished("li", [1400.0] * 22 + [10.0] * 3), *finished("wang", [1500.0] * 25),
          *finished("zhao", [1400.0] * 25)]],
    ),
    "repeated_rerolls": (
        [repeated(3, DAY, "draw.made", "li", draw="w", kind="objects", reroll=True)],
        [repeated(2, DAY, "draw.made", "li", draw="w", kind="objects", reroll=True),
         repeated(3, 4 * DAY, "draw.made", "li", draw="w", kind="objects", reroll=True),
         repeated(5, DAY, "draw.made", "li", draw="w", kind="objects", reroll=False)],
    ),
    "draw_without_commitment": (
        [[deed(0, "draw.made", "li", draw="w1")],
         [deed(0, "draw.made", "li", draw="w1"), deed(1, "draw.committed", "li", draw="w1")],
         [deed(0, "draw.committed", "li", draw="w2"), deed(1, "draw.made", "li", draw="w1")]],
        [[deed(0, "draw.committed", "li", draw="w1"), deed(60, "draw.made", "li", draw="w1")]],
    ),
    "draw_too_soon_after_commitment": (
        [[deed(0, "draw.made", "li", draw="w1", seconds_since_commitment=0.5)]],
        [[deed(0, "draw.made", "li", draw="w1", seconds_since_commitment=40)], [deed(0, "draw.made", "li", draw="w1")]],
    ),
    "draw_not_published": (
        [[deed(0, "draw.made", "li", draw="w1")],
         [deed(0, "draw.made", "li", draw="w1"), deed(2 * DAY, "draw.published", "li", draw="w1")]],
        [[deed(0, "draw.made", "li", draw="w1"), deed(HOUR, "draw.published", "", draw="w1")]],
    ),
    "draw_not_verifiable": (
        [[deed(0, "draw.verified", "", draw="w1", valid=False)]],
        [[deed(0, "draw.verified", "", draw="w1", valid=True)]],
    ),
    "exclusions_repeated": (
        [repeated(3, HOUR, "draw.excluded", "li", draw="w1")],
        [repeated(2, HOUR, "draw.excluded", "li", draw="w1"), repeated(3, 4 * DAY, "draw.excluded", "li", draw="w1"),
         [deed(i, "draw.excluded", name, draw="w1") for i, name in enumerate(("li", "wang", "zhao"))]],
    ),
    "assignment_changed_without_reason": (
        [[deed(0, "draw.assignment_changed", "li", draw="w1", to_officer="wang")]],
        [[deed(0, "draw.assignment_changed", "li", draw="w1", to_officer="wang", reason="ill")]],
    ),
    "assignment_taken_by_himself": (
        [[deed(0, "draw.assignment_changed", "li", draw="w1", to_officer="li", reason="ill")]],
        [[deed(0, "draw.assignment_changed", "li", draw="w1", to_officer="wang", reason="ill")],
         [deed(0, "draw.assignment_changed", "", draw="w1", to_officer="")]],
    ),
    "assigned_despite_conflict": (
        [[deed(0, "draw.assigned", "", draw="w1", officer="li", conflict=True)]],
        [[deed(0, "draw.assigned", "", draw="w1", officer="li", conflict=False)]],
    ),
    "officer_company_concentration": (
        [[*results("li", 20, 0, "c1"), *[one for n in range(3) for one in results("wang", 40, 0, f"c{n + 2}")],
          *results("zhao", 60, 0, "c3")]],
        [[*results("li", 9, 0, "c1"), *results("wang", 40, 0, "c2"), *results("zhao", 40, 0, "c2")],
         [one for name in ("li", "wang", "zhao") for n in range(4) for one in results(name, 12, 0, f"c{n}")]],
    ),
    "selected_not_inspected": (
        [[DRAWN], [DRAWN, deed(8 * DAY, "result.filed", "li", declaration="d1")]],
        [[DRAWN, deed(DAY, "result.filed", "li", declaration="d1")],
         [DRAWN, deed(DAY, "declaration.withdrawn", "", declaration="d1")]],
    ),
    "release_without_result": (
        [[deed(0, "release.given", "li", declaration="d1", kind="inspected")],
         [deed(0, "release.given", "li", declaration="d1", kind="inspected"), (1, *FIT[1:])]],
        [[FIT, deed(HOUR, "release.given", "wang", declaration="d1", kind="inspected")],
         [deed(0, "release.given", "li", declaration="d1", kind="documents")]],
    ),
    "drawn_released_on_documents": (
        [[deed(0, "release.given", "li", declaration="d1", kind="documents", drawn=True)]],
        [[deed(0, "release.given", "li", declaration="d1", kind="documents", drawn=False)],
         [deed(0, "release.given", "li", declaration="d1", kind="inspected", drawn=True)]],
    ),
    "release_after_unfit": (
        [[UNFIT, deed(DAY, "release.given", "wang", declaration="d1")]],
        [[FIT, deed(DAY, "release.given", "wang", declaration="d1")],
         [UNFIT, deed(DAY, "release.given", "wang", declaration="d2")]],
    ),
    "release_overdue": (
        [[FIT], [FIT, deed(2 * DAY, "release.given", "wang", declaration="d1")]],
        [[FIT, deed(HOUR, "release.given", "wang", declaration="d1")], [UNFIT]],
    ),
    "result_softened": (
        [[deed(0, "result.changed", "li", declaration="d1", softened=True)]],
        [[deed(0, "result.changed", "li", declaration="d1", softened=False)]],
    ),
    "result_changed_after_release": (
        [[deed(0, "release.given", "li", declaration="d1"), deed(DAY, "result.changed", "li", declaration="d1")]],
        [[deed(0, "result.changed", "li", declaration="d1"), deed(DAY, "release.given", "li", declaration="d1")]],
    ),
    "result_before_work": (
        [[FIT], [FIT, order(5, "started")]], [[order(0, "started"), (HOUR, *FIT[1:])]],
    ),
    "inspector_released_himself": (
        [[FIT, deed(HOUR, "release.given", "li", declaration="d1", kind="inspected")]],
        [[FIT, deed(HOUR, "release.given", "wang", declaration="d1", kind="inspected")],
         [FIT, deed(HOUR, "release.given", "li", declaration="d2", kind="inspected")]],
    ),
    "countersigned_by_inspector": (
        [[FIT, deed(60, "result.countersigned", "li", order="o1")]],
        [[FIT, deed(60, "result.countersigned", "wang", order="o1")]],
    ),
    "second_officer_is_first": (
        [[deed(0, "result.filed", "li", order="o1", second_officer="li")]],
        [[deed(0, "result.filed", "li", order="o1", second_officer="wang")], [FIT]],
    ),
    "sample_not_reported": (
        [[deed(0, "sample.taken", "li", sample="s1")],
         [deed(0, "sample.taken", "li", sample="s1"), deed(DAY, "sample.result", "", sample="s2")]],
        [[deed(0, "sample.taken", "li", sample="s1"), deed(3 * DAY, "sample.result", "", sample="s1")]],
    ),
    "released_despite_unfit_sample": (
        [[deed(0, "sample.result", "", declaration="d1", sample="s1", unfit=True),
          deed(DAY, "release.given", "li", declaration="d1")]],
        [[deed(0, "sample.result", "", declaration="d1", sample="s1", unfit=False),
          deed(DAY, "release.given", "li", declaration="d1")]],
    ),
    "finds_less_than_peers": (
        [[*results("li", 100, 1), *results("wang", 100, 22), *results("zhao", 100, 20)]],
        [[*results("li", 100, 18), *results("wang", 100, 22), *results("zhao", 100, 20)],
         [*results("li", 59, 0), *results("wang", 100, 22), *results("zhao", 100, 20)],
         [*results("li", 70, 2), *results("wang", 100, 7), *results("zhao", 100, 6)]],
    ),
    "followup_not_done": (
        [[deed(0, "followup.opened", "li", followup="f1")]],
        [[deed(0, "followup.opened", "li", followup="f1"), deed(20 * DAY, "followup.done", "li", followup="f1")]],
    ),
    "risk_lowered_by_hand": (
        [[LOWERED]], [[deed(0, "risk.overridden", "li", declaration="d1", lowered=False)]],
    ),
    "lowered_then_released_on_documents": (
        [[LOWERED, deed(DAY, "release.given", "li", declaration="d1", kind="documents")]],
        [[LOWERED, deed(DAY, "release.given", "li", declaration="d1", kind="inspected")],
         [LOWERED, deed(8 * DAY, "release.given", "li", declaration="d1", kind="documents")]],
    ),
    "risk_rules_by_one_person": (
        [[deed(0, "risk.rules_published", "li", model="goods", proposed_by="li")]],
        [[deed(0, "risk.rules_published", "li", model="goods", proposed_by="wang")]],
    ),
    "declaration_changed_after_draw": (
        [[deed(0, "declaration.changed", "li", declaration="d1", after_draw=True)]],
        [[deed(0, "declaration.changed", "li", declaration="d1", after_draw=False)]],
    ),
    "credit_raised_after_unfit": (
        [[UNFIT, deed(DAY, "credit.changed", "wang", company="c1", raised=True)]],
        [[UNFIT, deed(DAY, "credit.changed", "wang", company="c1", raised=False)],
         [UNFIT, deed(40 * DAY, "credit.changed", "wang", company="c1", raised=True)]],
    ),
    "declarations_looked_up_in_bulk": (
        [repeated(100, 10, "declaration.viewed", "li", declaration="d")],
        [repeated(99, 10, "declaration.viewed", "li", declaration="d"),
         repeated(100, 60, "declaration.viewed", "li", declaration="d")],
    ),
    "alert_unclaimed": (
        [[OPENED], [OPENED, deed(700, "alert.claimed", "li", alert="a1")]],
        [[OPENED, deed(60, "alert.claimed", "li", alert="a1")], [OPENED, deed(60, "alert.withdrawn", "", alert="a1")],
         [deed(0, "alert.opened", "", alert="a1", severity=2)]],
    ),
    "alert_undecided_after_claim": (
        [[deed(0, "alert.claimed", "li", alert="a1")]],
        [[deed(0, "alert.claimed", "li", alert="a1"), deed(600, "alert.approved", "wang", alert="a1")],
         [deed(0, "alert.claimed", "li", alert="a1"), deed(600, "alert.released", "li", alert="a1")]],
    ),
    "alert_dismissed_unseen": (
        [[deed(0, "alert.dismissed", "li", alert="a1", evidence=2)],
         [deed(0, "alert.viewed", "wang", alert="a1"), deed(9, "alert.dismissed", "li", alert="a1", evidence=2)]],
        [[deed(0, "alert.viewed", "li", alert="a1"), deed(9, "alert.dismissed", "li", alert="a1", evidence=2)],
         [deed(0, "alert.dismissed", "li", alert="a1", evidence=0)]],
    ),
    "alert_dismissed_in_seconds": (
        [[OPENED, deed(3, "alert.dismissed", "li", alert="a1")]],
        [[OPENED, deed(30, "alert.dismissed", "li", alert="a1")]],
    ),
    "emergency_dismissed": (
        [[deed(0, "alert.dismissed", "li", alert="a1", severity=4)]],
        [[deed(0, "alert.dismissed", "li", alert="a1", severity=3)]],
    ),
    "dismissals_above_peers": (
        [[*decided("li", 5, 45), *decided("wang", 30, 20), *decided("zhao", 30, 20)]],
        [[*decided("li", 28, 22), *decided("wang", 30, 20), *decided("zhao", 30, 20)],
         [*decided("li", 1, 28), *decided("wang", 30, 20), *decided("zhao", 30, 20)]],
    ),
    "watchlist_looked_up_often": (
        [repeated(30, 60, "watchlist.viewed", "li")], [repeated(30, 180, "watchlist.viewed", "li")],
    ),
    "watchlist_looked_up_at_night": (
        [[deed(NIGHT, "watchlist.viewed", "li")], [deed(NIGHT + 5.9 * HOUR, "watchlist.viewed", "li")]],
        [[deed(0, "watchlist.viewed", "li")], [deed(NIGHT + 6.1 * HOUR, "watchlist.viewed", "li")],
         [deed(NIGHT, "watchlist.viewed", "")]],
    ),
    "watchlist_not_published": (
        [[deed(0, "watchlist.added", "li", entries=1)], [deed(0, "watchlist.removed", "li", entry="w1")]],
        [[deed(0, "watchlist.added", "li", entries=1), deed(HOUR, "watchlist.published", "wang", version=2)]],
    ),
    "robot_stopped_often": (
        [repeated(3, 600, "robot.emergency_stopped", "", robot="robot_1")],
        [repeated(3, HOUR, "robot.emergency_stopped", "", robot="robot_1"),
         [deed(i, "robot.emergency_stopped", "", robot=f"robot_{i}") for i in range(3)]],
    ),
    "robot_fault_lasting": (
        [[deed(0, "robot.fault", "", robot="r", code="x", source="n", severity=2)],
         [deed(0, "robot.fault", "", robot="r", code="x", source="n", severity=2),
          deed(60, "robot.fault_cleared", "", robot="r", code="y", source="n")]],
        [[deed(0, "robot.fault", "", robot="r", code="x", source="n", severity=2),
          deed(60, "robot.fault_cleared", "", robot="r", code="x", source="n")],
         [deed(0, "robot.fault", "", robot="r", code="x", source="n", severity=1)]],
    ),
    "robot_findings_missing": (
        [[deed(0, "robot.findings_missing", "", robot="r", missing=3)]],
        [[deed(0, "robot.findings_missing", "", robot="r", missing=0)]],
    ),
    "live_view_often": (
        [repeated(30, 60, "robot.live_viewed", "li", robot="r", camera="rgb")],
        [repeated(30, 180, "robot.live_viewed", "li", robot="r", camera="rgb")],
    ),
    "sign_in_guessing": (
        [repeated(5, 60, "session.refused", "", account="li")],
        [repeated(4, 60, "session.refused", "", account="li"), repeated(5, 300, "session.refused", "", account="li")],
    ),
    "powerful_token_made": (
        [[deed(0, "service.added", "root", service="s", role="supervisor")]],
        [[deed(0, "service.added", "root", service="s", role="auditor")]],
    ),
    "enquiries_guessed": (
        [repeated(20, 10, "enquiry.refused", "", client="x")],
        [repeated(19, 10, "enquiry.refused", "", client="x"), repeated(20, 60, "enquiry.refused", "", client="x")],
    ),
    "case_closed_in_seconds": (
        [[deed(0, "case.closed", "wang", case="k", seconds=12.0)]],
        [[deed(0, "case.closed", "wang", case="k", seconds=900.0)]],
    ),
}  # fmt: skip
