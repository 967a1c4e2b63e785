from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from inspection_center.auth import accounts
from inspection_center.database import schema
from inspection_center.pages.rendering import Words, catalogue, reading
from inspection_center.robot_rules.tables import robot_rule_set
from inspection_contract.client import CenterClient
from inspection_contract.commands import Announcement, IncidentDecision, Order, RulesUpdate, WatchlistUpdate
from inspection_contract.events import Incident
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.contract.builders import MOMENT, detection

PAGES = {
    "/": {"officer", "supervisor", "auditor", "administrator"},
    "/findings": {"officer", "supervisor", "auditor", "administrator"},
    "/robots": {"officer", "supervisor", "auditor", "administrator"},
    "/orders": {"officer", "supervisor", "auditor", "administrator"},
    "/statistics": {"officer", "supervisor", "auditor", "administrator"},
    "/statistics.csv": {"officer", "supervisor", "auditor", "administrator"},
    "/watchlist": {"supervisor", "auditor"},
    "/quarantine": {"supervisor", "auditor", "administrator"},
    "/audit": {"supervisor", "auditor"},
    "/supervision": {"supervisor", "auditor"},
    "/supervision/points": {"supervisor", "auditor"},
    "/supervision/statistics": {"supervisor", "auditor"},
    "/supervision/mine": {"officer", "supervisor", "auditor", "administrator"},
    "/accounts": {"administrator"},
}
ATTACK = "<script>alert(1)</script>'\"; DROP TABLE alert; --{{7*7}}"


@pytest.fixture
def running(running_on_each: RunningCenter) -> RunningCenter:
    """Every test here holds on both databases."""
    return running_on_each


def csrf(http: httpx.Client) -> dict[str, str]:
    match = re.search(r'name="csrf" value="([^"]+)"', http.get("/").text)
    assert match is not None
    return {"csrf": match[1]}


def report(running: RunningCenter, *bodies: Any) -> None:
    robot = running.enrol()
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, bodies, outbox=uuid4()))


def incident(**changes: Any) -> Incident:
    fields = {
        "uuid": uuid4(),
        "stamp": MOMENT,
        "state": "awaiting_officer",
        "kind": "thermal.fever",
        "confidence": 0.97,
        "grade": "C",
        "history": [
            {"stamp": MOMENT, "from_state": "", "to_state": "suspected", "actor": "robot:fever", "reason": "seen"}
        ],
    }
    return Incident.model_validate({**fields, **changes})


def commands(running: RunningCenter, kind: str) -> list[str]:
    with running.center.engine.connect() as connection:
        rows = connection.execute(select(schema.command.c.data).where(schema.command.c.type == kind))
        return [row[0] for row in rows]


def test_both_catalogues_have_the_same_keys() -> None:
    assert set(catalogue("zh")) == set(catalogue("en"))
    assert all(text.strip() for language in ("zh", "en") for text in catalogue(language).values())


def test_every_text_a_template_names_exists() -> None:
    folder = Path(__file__).resolve().parents[2] / "src" / "inspection_center" / "templates"
    named = {
        key for path in folder.glob("*.html") for key in re.findall(r'\bt\(["\']([a-z_.]+)["\'][,)]', path.read_text())
    }
    assert len(named) > 100
    assert named <= set(catalogue("en"))


@pytest.mark.parametrize("role", ["officer", "supervisor", "auditor", "administrator"])
def test_every_role_sees_its_pages_in_both_languages_and_no_others(running: RunningCenter, role: str) -> None:
    running.add_account("li", role)
    report(running, detection(), incident())
    with running.browser("li") as http:
        for place, roles in PAGES.items():
            for language in ("zh", "en"):
                answer = http.get(place, headers={"Accept-Language": language})
                assert answer.status_code == (200 if role in roles else 403), place


def test_without_a_session_pages_lead_to_the_form_and_programs_get_401(running: RunningCenter) -> None:
    with httpx.Client(base_url=running.url) as http:
        for place in PAGES:
            assert http.get(place, headers={"Accept": "text/html"}).headers.get("location") == "/login"
            assert http.get(place).status_code == 401
        assert http.post(f"/alerts/{uuid4()}/claim").status_code == 401


def test_an_officer_claims_looks_and_approves_and_the_robot_is_told(running: RunningCenter) -> None:
    found = detection()
    case = incident(detections=[found.uuid])
    report(running, found, case)
    running.add_account("li", "officer")
    with running.browser("li") as http:
        assert str(case.uuid) in http.get("/").text
        http.post(f"/alerts/{case.uuid}/claim", data=csrf(http))
        shown = http.get(f"/alerts/{case.uuid}").text
        assert "38.40 ± 0.21 °C" in shown
        assert "fever (robot)" in shown
        answer = http.post(
            f"/alerts/{case.uuid}/decision", data={**csrf(http), "verdict": "approve", "reason": "clear picture"}
        )
        assert answer.status_code == 200
        assert "clear picture" in answer.text
        http.post(f"/alerts/{case.uuid}/decision", data={**csrf(http), "verdict": "file"})
        assert str(case.uuid) not in http.get("/fragments/alerts").text
    (told,) = commands(running, IncidentDecision.TYPE)
    decision = IncidentDecision.model_validate_json(told)
    assert (decision.incident, int(decision.decision), decision.officer) == (case.uuid, 0, "li")


def test_two_officers_never_decide_the_same_alert(running: RunningCenter) -> None:
    case = incident()
    report(running, case)
    running.add_account("li", "officer")
    running.add_account("wang", "officer")
    place = f"/alerts/{case.uuid}"
    with running.browser("li") as li, running.browser("wang") as wang:
        li.post(f"{place}/claim", data=csrf(li))
        assert wang.post(f"{place}/claim", data=csrf(wang)).status_code == 409
        approve = {"verdict": "approve", "reason": ""}
        assert wang.post(f"{place}/decision", data={**csrf(wang), **approve}).status_code == 409
        assert wang.post(f"{place}/release", data=csrf(wang)).status_code == 409
        assert li.post(f"{place}/decision", data={**csrf(li), "verdict": "dismiss", "reason": " "}).status_code == 422
        assert li.post(f"{place}/decision", data={**csrf(li), "verdict": "dismiss", "reason": "sun"}).status_code == 200
        assert li.post(f"{place}/decision", data={**csrf(li), **approve}).status_code == 409
    assert len(commands(running, IncidentDecision.TYPE)) == 1


def test_forms_without_their_token_and_from_elsewhere_do_nothing(running: RunningCenter) -> None:
    case = incident()
    report(running, case)
    running.add_account("li", "officer")
    with running.browser("li") as http:
        assert http.post(f"/alerts/{case.uuid}/claim").status_code == 403
        assert http.post(f"/alerts/{case.uuid}/claim", data={"csrf": "x"}).status_code == 403
        origin = {"Origin": "https://elsewhere.example"}
        assert http.post("/login", data={"name": "li", "password": "x"}, headers=origin).status_code == 403
    with running.center.engine.connect() as connection:
        assert connection.execute(select(schema.alert.c.state)).scalar_one() == "open"


def test_text_of_robots_and_people_never_becomes_markup(running: RunningCenter) -> None:
    found = detection(subject=ATTACK, attributes={ATTACK: ATTACK}, rule_id=ATTACK)
    case = incident(detections=[found.uuid])
    report(running, found, case)
    running.add_account("li", "supervisor")
    with running.browser("li") as http:
        http.post(f"/alerts/{case.uuid}/decision", data={**csrf(http), "verdict": "dismiss", "reason": ATTACK})
        http.post("/orders", data={**csrf(http), "to": "robot:robot_1", "kind": "patrol", "place_name": ATTACK})
        http.post("/watchlist", data={**csrf(http), "id": "w1", "kind": "name", "identifier": ATTACK})
        for place in (f"/alerts/{case.uuid}", "/findings", "/orders", "/watchlist", "/audit"):
            text = http.get(place).text
            assert "<script>alert" not in text, place
            assert "&lt;script&gt;alert(1)" in text, place
            assert "'\"; DROP" not in text.replace("&#39;", "'") or "{{7*7}}" in text
            assert "49" not in re.findall(r"DROP TABLE alert; --(\S{2})", text)


def test_orders_and_announcements_reach_the_robots_they_are_for(running: RunningCenter) -> None:
    running.enrol("robot_1")
    running.enrol("robot_2")
    running.add_account("li", "officer")
    with running.browser("li") as http:
        order = {"to": "robot:robot_2", "kind": "inspection", "place_name": "Gate 4", "x": "12.5", "y": "3"}
        assert http.post("/orders", data={**csrf(http), **order}).status_code == 200
        assert "Gate 4" in http.get("/orders").text
        words = {"text_zh": "请注意", "priority": "3"}
        assert http.post("/announcements", data={**csrf(http), **words}).status_code == 200
        assert http.post("/announcements", data=csrf(http)).status_code == 422
        assert http.post("/orders", data={**csrf(http), **order, "to": "robot:nobody"}).status_code == 404
        assert http.post("/orders", data={**csrf(http), **order, "x": "here"}).status_code == 422
    (given,) = [Order.model_validate_json(text) for text in commands(running, Order.TYPE)]
    assert given.place is not None
    assert (given.place.position.x, len(given.steps), given.officer) == (12.5, 8, "li")
    assert len(commands(running, Announcement.TYPE)) == 2


def test_a_watch_list_goes_out_as_digests_of_each_robots_own_key(running: RunningCenter) -> None:
    running.enrol("robot_1")
    running.enrol("robot_2")
    running.add_account("li", "supervisor")
    table = "id,kind,identifier,birth_date\nw1,document_number,E1234567,1990-05-01\nw2,name,张伟,\n"
    with running.browser("li") as http:
        for content, status in ((table, 200), (table, 409), ("id,x\n1,2\n", 422), ("", 422)):
            answer = http.post("/watchlist/import", data=csrf(http), files={"file": ("l.csv", content.encode())})
            assert answer.status_code == status, content
        assert http.post("/watchlist/publish", data=csrf(http)).status_code == 200
        assert "E1234567" in http.get("/watchlist").text
    sent = commands(running, WatchlistUpdate.TYPE)
    assert len(sent) == 2
    assert not any("E1234567" in text or "张伟" in text or "1990" in text for text in sent)
    first, second = (WatchlistUpdate.model_validate_json(text) for text in sent)
    assert {entry.id for entry in first.entries} == {"w1", "w2"}
    assert first.entries[0].digest != second.entries[0].digest


def test_an_account_locks_after_too_many_guesses_and_names_cannot_be_told_apart(running: RunningCenter) -> None:
    running.add_account("li", "officer")
    with httpx.Client(base_url=running.url) as http:
        wrong = [http.post("/login", data={"name": name, "password": "x" * 12}) for name in ("li", "nobody")]
        assert wrong[0].status_code == wrong[1].status_code == 403
        assert wrong[0].text == wrong[1].text
        for _ in range(4):
            http.post("/login", data={"name": "li", "password": "guess guess"})
        assert http.post("/login", data={"name": "li", "password": "correct horse battery"}).status_code == 403
        statuses = [http.post("/login", data={"name": "li", "password": "x"}).status_code for _ in range(8)]
    assert statuses[-1] == 429


def test_a_one_time_link_works_once(running: RunningCenter) -> None:
    running.add_account("li", "officer")
    token = running.center.writer.run(lambda transaction: accounts.new_link(transaction, "test", "li"))
    with httpx.Client(base_url=running.url, follow_redirects=True) as http:
        assert http.get(f"/login/link/{token}").url.path == "/"
    with httpx.Client(base_url=running.url, follow_redirects=True) as http:
        assert http.get(f"/login/link/{token}").status_code == 403


def test_an_account_that_is_closed_is_out_at_once(running: RunningCenter) -> None:
    running.add_account("li", "officer")
    running.add_account("root", "administrator")
    with running.browser("li") as li, running.browser("root") as root:
        assert li.get("/robots").status_code == 200
        assert root.post("/accounts/li/active", data={**csrf(root), "active": "no"}).status_code == 200
        assert root.post("/accounts/root/active", data={**csrf(root), "active": "no"}).status_code == 409
        assert li.get("/robots").status_code == 401


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(running: RunningCenter) -> None:
    running.add_account("li", "officer")
    with httpx.Client(base_url=running.url) as http:
        answer = http.post("/login", data={"name": "li", "password": "correct horse battery"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_changing_the_language_never_leads_to_another_site(running: RunningCenter) -> None:
    with httpx.Client(base_url=running.url) as http:
        for referer in ("https://elsewhere.example//evil.example/x", "//evil.example", "https://evil.example/a"):
            place = http.get("/language/zh", headers={"Referer": referer}).headers["location"]
            assert place.startswith("/")
            assert not place.startswith("//")


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "text"),
    [
        (38.4, 0.21, "Cel", "38.40 ± 0.21 °C"),
        (12345.0, 120.0, "{counts}/s", "12345 ± 120 s⁻¹"),
        (0.1234, 0.0031, "uSv/h", "0.1234 ± 0.0031 µSv/h"),
        (3.0, None, "1", "3"),
        (None, None, "Cel", "—"),
        (1.0, 0.0, "m", "1 m"),
    ],
)
def test_readings_are_rounded_to_their_uncertainty(
    value: float | None, uncertainty: float | None, unit: str, text: str
) -> None:
    assert reading(value, uncertainty, unit) == text


def visible_words(page: str) -> set[str]:
    """Latin words of three letters or more that somebody who looks at a page can read."""
    text = re.sub(r"<(script|style|svg|code|textarea)\b.*?</\1>", " ", page, flags=re.DOTALL)
    told = re.findall(r'(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
    return set(re.findall(r"[A-Za-z]{3,}", " ".join([re.sub(r"<[^>]*>", " ", text), *told])))


NAMES_IN_ANY_LANGUAGE = {
    "English",
    "robot",
    "robots",
    "fever",
    "two",
    "stage",
    "test",
    "seen",
    "true",
    "root",
    "installation",
    "Enter",
    "CSV",
    "UTC",
    "YAML",
    "Gate",
    "Ed25519",
    "wang",
    "thermal",
}


def test_a_chinese_page_has_no_english_left(running: RunningCenter) -> None:
    found = detection()
    case = incident(detections=[found.uuid])
    report(running, found, detection(kind="odor.family", severity=2), case)
    running.add_account("wang", "supervisor")
    running.add_account("root", "administrator")
    left: dict[str, set[str]] = {}
    chinese = {"Accept-Language": "zh", "Accept": "text/html"}
    with running.browser("wang") as http, running.browser("root") as root:
        order = {"to": "robot:robot_1", "kind": "inspection", "place_name": "Gate 4"}
        shown = http.post("/orders", data={**csrf(http), **order}).url.path
        http.post("/announcements", data={**csrf(http), "text_zh": "请注意"})
        http.post("/robots/robot_1/live", data={**csrf(http), "camera": "rgb"})
        http.post(f"/alerts/{case.uuid}/claim", data=csrf(http))
        places = [*PAGES.keys() - {"/statistics.csv", "/accounts"}, f"/alerts/{case.uuid}", "/robots/robot_1", shown]
        for place in [*places, "/handheld", "/robot-rules", "/alerts/" + str(uuid4()), "/robots/nobody"]:
            left[place] = visible_words(http.get(place, headers=chinese).text) - NAMES_IN_ANY_LANGUAGE
        left["/accounts"] = (
            visible_words(root.get("/accounts", headers=chinese).text) - NAMES_IN_ANY_LANGUAGE - {"root"}
        )
    faults = [f"{place}: {sorted(words)}" for place, words in left.items() if words]
    assert not faults, "\n".join(faults)


def test_whatever_the_console_refuses_is_said_in_chinese_too() -> None:
    folder = Path(__file__).resolve().parents[2] / "src" / "inspection_center"
    parts = ("alerts.py", "orders.py", "robots.py", "watchlist.py", "handheld", "robot_rules", "plan", "pages/fleet.py",
             "pages/command.py", "pages/office.py", "pages/handheld.py", "pages/sign_in.py")  # fmt: skip
    files = [
        file for part in parts for file in ([folder / part] if part.endswith(".py") else (folder / part).glob("*.py"))
    ]
    raised = {
        re.sub(r"\{[^}]*\}", "7", text)
        for file in files
        for text in re.findall(r'(?:NotFound|Conflict|Unfit|HTTPException)\((?:\d+, )?f?"([^"]+)"', file.read_text())
    }
    assert len(raised) > 30
    chinese = Words("zh")
    assert {text for text in raised if chinese.problem(text) == text} == set()


def test_a_list_with_faults_is_refused_whole_and_every_fault_names_its_line(running: RunningCenter) -> None:
    running.add_account("li", "supervisor")
    table = "id,kind,identifier,expires\nw1,name,张伟,\nw2,person,x,\nw1,name,李娜,\nw3,vehicle,A1,tomorrow\n"
    with running.browser("li") as http:
        sent = {"data": csrf(http), "files": {"file": ("l.csv", table.encode())}}
        shown = http.post("/watchlist/import", headers={"Accept": "text/html", "Accept-Language": "zh"}, **sent)
        assert shown.status_code == 422
        for part in ("第 3 行：类型须为", "第 4 行：编号 w1 与第 2 行重复", "第 5 行：日期格式"):
            assert part in shown.text
        assert "张伟" not in http.get("/watchlist").text
        good = {
            "data": csrf(http),
            "files": {"file": ("l.csv", b"id,kind,identifier,expires\nw1,name,Li,2020-01-01\n")},
        }
        assert http.post("/watchlist/import", **good).status_code == 200
        assert "w1" not in http.get("/watchlist").text  # its time is over: no robot gets it
        again = http.post("/watchlist/import", **good)
        assert again.status_code == 409
        assert "line 2: the id w1 is on the list already" in again.text


def test_the_audit_view_finds_by_person_deed_thing_and_day(running: RunningCenter) -> None:
    running.enrol("robot_2")
    running.add_account("li", "supervisor")
    with running.browser("li") as http:
        http.post("/announcements", data={**csrf(http), "text_en": "Attention", "robot": "robot_2"})
        today = http.get("/audit").text
        assert "Announcement" in re.sub("<select.*?</select>", "", today, flags=re.DOTALL)

        def rows(query: str) -> list[str]:
            page = http.get(f"/audit?{query}").text
            return re.findall(r"<tr><td class=\"number\">\d+</td>.*?</tr>", page, flags=re.DOTALL)

        assert len(rows("actor=li&action=announcement.given&object=robot_2")) == 1
        assert rows("actor=nobody") == []
        assert rows("action=watchlist.added") == []
        assert rows("until=2020-01-01") == []
        assert len(rows("since=2020-01-01")) == len(rows(""))
        assert rows("actor=%25") == []
        assert http.get("/audit?since=yesterday").status_code == 422


def test_rules_are_versions_that_the_center_signed_and_every_robot_gets(running: RunningCenter) -> None:
    running.enrol("robot_1")
    running.add_account("wang", "supervisor")
    running.add_account("li", "officer")
    text = "rules:\n  - id: fever\n    capability: thermal\n    parameters: {alarm_c: '37.3'}\n"
    with running.browser("wang") as http, running.browser("li") as officer:
        assert officer.post("/robot-rules", data={**csrf(officer), "content": text}).status_code == 403
        for fault, line in ((text + "  - id: fever\n    capability: x\n    parameters: {}\n", 5), ("rules:\n  - [", 2)):
            refused = http.post("/robot-rules", data={**csrf(http), "content": fault, "note": "x"})
            assert refused.status_code == 422
            assert f"line {line}" in refused.text
        for number in ("1", "2"):
            made = {"content": text.replace("37.3", f"37.{number}"), "note": f"season {number}"}
            assert http.post("/robot-rules", data={**csrf(http), **made}).status_code == 200
        shown = http.get("/robot-rules").text
        assert shown.count("signature holds") == 2
        assert "not the newest" in shown
        with running.center.engine.begin() as connection:
            connection.execute(robot_rule_set.update().where(robot_rule_set.c.version == 1).values(rules="[]"))
        assert http.get("/robot-rules").text.count("signature does not hold") == 1
    sent = [RulesUpdate.model_validate_json(body) for body in commands(running, RulesUpdate.TYPE)]
    assert [(update.version, update.rules[0].parameters["alarm_c"]) for update in sent] == [
        ("1", "37.1"),
        ("2", "37.2"),
    ]
