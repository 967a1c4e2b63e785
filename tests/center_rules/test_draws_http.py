"""A day's draws through the real center, on both databases: cases, objects, officers, publication."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from inspection_center.draws.tables import draw
from tests.center.running import RunningCenter
from tests.center.test_pages import csrf
from tests.center_rules.making import PARTY, SECRET, drand_record

ROSTER = "officer,unit,lead,qualifications,conflicts,duty_from,duty_until\n" + "".join(
    f"o{n},unit{n % 3},{'yes' if n % 2 else 'no'},goods ship,C{n},2026-01-01T00:00Z,2046-01-01T00:00Z\n"
    for n in range(8)
)
SHORT_ROSTER = "\n".join(ROSTER.splitlines()[:2]) + "\n"


@pytest.fixture
def api(running_on_each: RunningCenter) -> Any:
    with client(running_on_each, "supervisor") as http:
        yield http


def client(running: RunningCenter, role: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {running.service_token(role)}"} if role else {}
    return httpx.Client(base_url=running.url, headers=headers, timeout=30)


def assess(api: httpx.Client, reference: str, company: str = "C1", **facts: Any) -> dict[str, Any]:
    body = {
        "model": "goods",
        "reference": reference,
        "company": company,
        "facts": facts,
        "goods": [{"hs_code": "0203"}],
    }
    answer = api.post("/api/v1/risk/cases", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def two_party(api: httpx.Client, kind: str, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/draws", json={"kind": kind, "purpose": "today", "party_commitment": PARTY, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def reveal(api: httpx.Client, number: int) -> None:
    assert api.post(f"/api/v1/draws/{number}/reveal", json={"party_secret": SECRET}).json() == {"state": "done"}


def test_a_days_two_rounds_end_with_pairs_that_anyone_can_verify(api: httpx.Client, tmp_path: Path) -> None:
    for n in range(20):
        assess(api, f"D{n}", f"C{n % 5}", country_risk="high")
    assert assess(api, "DX", neutron_alarm=True)["level"] == "inspect"
    assert api.post("/api/v1/draws/roster", json={"content": ROSTER}).json() == {"officers": 8}
    first = api.post("/api/v1/draws", json={"kind": "objects", "purpose": "today", "beacon": "drand_quicknet"}).json()
    round_number = first["statement"]["beacon"]["round"]
    wrong = api.post(f"/api/v1/draws/{first['number']}/reveal", json={"record": drand_record(round_number + 1)})
    assert wrong.status_code == 409
    done = api.post(f"/api/v1/draws/{first['number']}/reveal", json={"record": drand_record(round_number)})
    assert done.json() == {"state": "done"}
    states = {case["reference"]: case["drawn"] for case in api.get("/api/v1/risk/cases").json()}
    assert states["DX"] == "selected"
    assert set(states.values()) == {"selected", "not_selected"}
    second = two_party(api, "officers")
    assert second["statement"]["follows"] == first["statement"]["series"] + "#1"
    reveal(api, second["number"])
    drawn = api.get(f"/api/v1/draws/{second['number']}").json()
    officers = [entry["label"] for entry in drawn["proof"]["labels"]["items"]]
    for chosen in drawn["proof"]["result"]:
        pair = [officers[position] for position in chosen]
        assert len({officer["unit"] for officer in pair}) == 2
        assert any(int(officer["id"][1:]) % 2 for officer in pair), "a pair has a lead"
    conflicts = {(place["label"]["id"]) for place in drawn["proof"]["labels"]["places"]}
    assert "DX" in conflicts
    for made in (first, second):
        public = httpx.get(f"{api.base_url}/public/draws/{made['number']}/proof.json")
        assert b"o3" not in public.content, "officers' names stay with the auditors"
        proof, verifier = tmp_path / "proof.json", tmp_path / "verify_draw.py"
        proof.write_bytes(public.content)
        verifier.write_bytes(httpx.get(f"{api.base_url}/public/draws/verify_draw.py").content)
        command = [sys.executable, "-I", str(verifier), str(proof), "--published", made["statement_sha256"]]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "FAIL" not in ran.stdout


def test_one_officer_is_refused_for_a_pair_with_the_reason(api: httpx.Client) -> None:
    assess(api, "DX", neutron_alarm=True)
    reveal(api, two_party(api, "objects")["number"])
    api.post("/api/v1/draws/roster", json={"content": SHORT_ROSTER})
    answer = api.post("/api/v1/draws", json={"kind": "officers", "purpose": "x", "party_commitment": PARTY})
    assert answer.status_code == 422
    assert "1 on duty, a task needs 2" in answer.text


def test_an_empty_list_is_refused(api: httpx.Client) -> None:
    for kind in ("objects", "zones"):
        answer = api.post("/api/v1/draws", json={"kind": kind, "purpose": "x", "party_commitment": PARTY})
        assert answer.status_code == 422, answer.text


def test_an_aborted_and_a_repeated_draw_stay_in_the_public_list(api: httpx.Client) -> None:
    assess(api, "DX", neutron_alarm=True)
    first = two_party(api, "objects")
    assert api.post(f"/api/v1/draws/{first['number']}/abort", json={"reason": " "}).status_code == 422
    assert api.post(f"/api/v1/draws/{first['number']}/abort", json={"reason": "wrong list"}).status_code == 204
    assert api.post(f"/api/v1/draws/{first['number']}/reveal", json={"party_secret": SECRET}).status_code == 409
    unexplained = {"kind": "objects", "purpose": "x", "party_commitment": PARTY, "replaces": 1}
    assert api.post("/api/v1/draws", json=unexplained).status_code == 422
    second = two_party(api, "objects", replaces=1, reason="the list lacked a ship")
    reveal(api, second["number"])
    shown = httpx.get(f"{api.base_url}/public/draws?language=en").text
    assert "wrong list" in shown
    assert "repeats number 1" in shown
    assert second["statement"]["number"] == 2
    assert "t_supervisor" not in shown
    assert "after the beacon" not in shown


def test_a_draw_that_is_ended_once_the_beacon_has_spoken_is_marked(
    running_on_each: RunningCenter, api: httpx.Client
) -> None:
    assess(api, "DX", neutron_alarm=True)
    made = api.post("/api/v1/draws", json={"kind": "objects", "purpose": "x", "beacon": "nist"}).json()
    past = update(draw).values(due="2026-01-01T00:00:00.000000Z")
    running_on_each.center.writer.run(lambda transaction: transaction.connection.execute(past))
    assert api.post(f"/api/v1/draws/{made['number']}/abort", json={"reason": "did not like it"}).status_code == 204
    assert "ended after the beacon had spoken" in httpx.get(f"{api.base_url}/public/draws?language=en").text


def test_allotments_rotate_and_use_each_berth_once(api: httpx.Client) -> None:
    teams = [{"name": name} for name in ("red", "green", "blue")]
    zones = ["north", "south", "west"]
    got: list[dict[str, str]] = []
    for _ in range(4):
        made = two_party(api, "zones", choices=teams, places=zones)
        reveal(api, made["number"])
        proof = api.get(f"/api/v1/draws/{made['number']}").json()["proof"]
        names = [entry["label"]["id"] for entry in proof["labels"]["items"]]
        places = [entry["label"]["id"] for entry in proof["labels"]["places"]]
        got.append({places[n]: names[chosen[0]] for n, chosen in enumerate(proof["result"])})
        assert sorted(got[-1].values()) == ["blue", "green", "red"]
    for before, after in pairwise(got):
        assert all(before[zone] != after[zone] for zone in zones)


def test_supervisors_and_the_public_walk_the_pages_in_both_languages(running_on_each: RunningCenter) -> None:
    running_on_each.add_account("wang", "supervisor")
    running_on_each.add_account("li", "officer")
    with running_on_each.browser("wang") as http:
        token = csrf(http)
        with client(running_on_each, "supervisor") as api:
            number = assess(api, "DX", neutron_alarm=True, used_goods=True)["case"]
        http.post("/draws/roster", data=token, files={"file": ("r.csv", ROSTER)})
        form = {**token, "kind": "channels", "purpose": "<b>gate</b>", "party_commitment": PARTY, "wait_seconds": "120"}
        lists = {"choices": "left 2\nmiddle 1\nright 1 V1", "places": "V1\nV2"}
        looked = http.post("/draws/preview", data={**form, **lists})
        assert looked.status_code == 200, looked.text
        made = http.post("/draws", data={**form, **lists})
        assert made.status_code == 200, made.text
        number_drawn = int(re.search(r"/draws/(\d+)$", str(made.url))[1])  # type: ignore[index]  # asserted by the match
        http.post(f"/draws/{number_drawn}/reveal", data={**token, "party_secret": SECRET})
        pages = ("/risk", f"/risk/cases/{number}", "/risk/models/ships/1", "/risk/models/goods/1/what-if")
        for place in (*pages, "/risk/warnings", "/draws", f"/draws/{number_drawn}", "/draws/roster"):
            for language in ("zh", "en"):
                answer = http.get(place, headers={"Accept-Language": language})
                assert answer.status_code == 200, f"{place}: {answer.text[:300]}"
                assert "<b>gate" not in answer.text
        assert "Neutrons are always looked into" in http.get(pages[1], headers={"Accept-Language": "en"}).text
    with httpx.Client(base_url=running_on_each.url) as anyone:
        for place in ("/public/draws", f"/public/draws/{number_drawn}"):
            for language in ("zh", "en"):
                answer = anyone.get(f"{place}?language={language}")
                assert answer.status_code == 200, answer.text
        assert "left" in answer.text or "middle" in answer.text or "right" in answer.text
        assert anyone.get("/draws").status_code == 401
    with running_on_each.browser("li") as http:
        assert http.get("/draws").status_code == 200
        assert http.post("/draws", data={**csrf(http), "kind": "objects", "purpose": "x"}).status_code == 403


def test_a_roster_with_a_fault_is_refused_with_its_line(api: httpx.Client) -> None:
    for broken, reason in (
        (ROSTER.replace("o3,unit0,yes", "o3,unit0,maybe"), "line 5: lead"),
        (ROSTER.replace("o3,", "o2,"), "line 5: o2 stands there twice"),
        (ROSTER.replace("2026-01-01T00:00Z", "2047-01-01T00:00Z"), "line 2: duty ends"),
        ("officer\no1\n", "line 1: the columns"),
        (ROSTER.splitlines()[0] + "\n", "the roster is empty"),
    ):
        answer = api.post("/api/v1/draws/roster", json={"content": broken})
        assert (answer.status_code, reason in answer.text) == (422, True), answer.text
