"""Risk through the real center, on both databases: decisions kept whole, four eyes, warnings, history, results."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from inspection_center.risk import versions
from inspection_contract.resources import share
from tests.center.running import RunningCenter
from tests.center.test_pages import csrf

WARNINGS = "id,source,kind,severity,hs_code,origin,words\nR1,EU,recall,3,0203,BR,pork\nR2,EU,alert,1,0304,,\n"
PORK = {"hs_code": "020329", "origin": "BR", "name": "frozen pork"}


@pytest.fixture
def api(running_on_each: RunningCenter) -> Any:
    token = running_on_each.service_token("supervisor")
    with httpx.Client(base_url=running_on_each.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        yield http


def assess(api: httpx.Client, reference: str, **body: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/risk/cases", json={"model": "goods", "reference": reference, "facts": {}, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def next_version(text: str, number: int, **changes: str) -> str:
    text = text.replace("version: 1", f"version: {number}", 1)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_a_decision_keeps_version_inputs_and_contributions(api: httpx.Client) -> None:
    made = assess(api, "D1", company="C1", facts={"used_goods": True, "value_usd": 5000}, goods=[PORK])
    kept = api.get(f"/api/v1/risk/cases/{made['case']}").json()
    assert (kept["model"], kept["version"], len(kept["sha256"])) == ("goods", 1, 64)
    assert kept["facts"]["used_goods"] is True
    assert kept["facts"]["hs_code"] == "020329"
    assert kept["facts"]["company_grade"] == "new"
    assert sum(row["points"] for row in kept["contributions"]) == pytest.approx(kept["score"], abs=0.01)
    assert api.get("/api/v1/risk/cases", params={"level": kept["level"]}).json()[0]["number"] == made["case"]


def test_the_riskiest_of_several_goods_decides(api: httpx.Client) -> None:
    plain = assess(api, "D1", goods=[{"hs_code": "8471"}])
    several = assess(api, "D2", goods=[{"hs_code": "8471"}, {"hs_code": "3604"}])
    assert several["score"] > plain["score"]
    assert api.get(f"/api/v1/risk/cases/{several['case']}").json()["facts"]["hs_code"] == "3604"


def test_imported_warnings_raise_matching_goods_until_they_are_withdrawn(api: httpx.Client) -> None:
    before = assess(api, "D1", goods=[PORK])
    imported = {"content": WARNINGS}
    assert api.post("/api/v1/risk/warnings", json=imported).json() == {"new": 2, "known": 0}
    assert api.post("/api/v1/risk/warnings", json=imported).json() == {"new": 0, "known": 2}, "a list may come twice"
    changed = {"content": WARNINGS.replace("recall,3", "recall,4")}
    assert api.post("/api/v1/risk/warnings", json=changed).status_code == 409
    warned = assess(api, "D2", goods=[PORK])
    assert (warned["level"], warned["warnings"]) == ("inspect", ["R1"])
    assert warned["score"] > before["score"]
    assert assess(api, "D3", goods=[{"hs_code": "0304"}])["level"] == "draw"
    gone = {"id": "R1", "reason": "the recall has ended"}
    assert api.post("/api/v1/risk/warnings/withdrawals", json={**gone, "reason": " "}).status_code == 422
    assert api.post("/api/v1/risk/warnings/withdrawals", json=gone).status_code == 204
    assert api.post("/api/v1/risk/warnings/withdrawals", json=gone).status_code == 404
    assert assess(api, "D4", goods=[PORK])["warnings"] == []


def test_results_make_a_companys_history_and_that_its_next_score(api: httpx.Client) -> None:
    first = assess(api, "D0", company="C1")
    for n in range(4):
        assess(api, f"D{n}", company="C1")
        result = {"reference": f"D{n}", "outcome": "failed" if n < 2 else "passed", "note": "seal broken"}
        assert api.post("/api/v1/risk/results", json=result).status_code == 204
    later = assess(api, "D9", company="C1")
    facts = api.get(f"/api/v1/risk/cases/{later['case']}").json()["facts"]
    assert (facts["company_grade"], facts["company_inspections"], facts["company_recent_failures"]) == ("D", 4, 2)
    assert later["score"] > first["score"]
    assert assess(api, "E1", company="C2")["score"] == pytest.approx(first["score"])
    assert api.post("/api/v1/risk/results", json={"reference": "none", "outcome": "passed"}).status_code == 404


def test_a_new_version_needs_a_second_person_and_then_decides(
    running_on_each: RunningCenter, api: httpx.Client
) -> None:
    shipped = (share() / "config" / "risk" / "goods.yaml").read_text(encoding="utf-8")
    assess(api, "D1", facts={"used_goods": True})
    text = next_version(shipped, 2, **{"levels: {draw: 15,": "levels: {draw: 0,"})
    assert api.post("/api/v1/risk/models", json={"text": shipped, "reason": "again"}).status_code == 409
    faulty = api.post("/api/v1/risk/models", json={"text": text.replace("used_goods", "used", 1), "reason": "x"})
    assert faulty.status_code == 422
    assert "line " in faulty.text
    proposed = api.post("/api/v1/risk/models", json={"text": text, "reason": "more into the draw"})
    assert proposed.json()["version"] == 2
    approve = {"approve": True, "reason": "agreed"}
    assert api.post("/api/v1/risk/models/goods/2/decision", json=approve).status_code == 409, "not by who proposed it"
    assert assess(api, "D2")["version"] == 1
    compared = api.get("/api/v1/risk/models/goods/2/what-if").json()
    assert (compared["in_force"], compared["version"], compared["compared"]) == (1, 2, 2)
    running_on_each.add_account("wang", "supervisor")
    with running_on_each.browser("wang") as http:
        place = "/risk/models/goods/2"
        assert http.get(place).status_code == 200
        assert http.post(f"{place}/decision", data={**csrf(http), "verdict": "approve"}).status_code == 200
    assert assess(api, "D3")["version"] == 2
    assert api.post("/api/v1/risk/models/goods/2/decision", json=approve).status_code == 409
    audit = [entry["action"] for entry in api.get("/api/v1/audit").json()]
    assert {"risk.model_proposed", "risk.model_approved", "risk.model_installed"} <= set(audit)
    states = {(row["model"], row["version"]): row["in_force"] for row in api.get("/api/v1/risk/models").json()}
    assert states["goods", 2] and not states["goods", 1] and states["ships", 1]


def test_shipped_models_are_installed_once(running: RunningCenter) -> None:
    for _ in range(2):
        running.center.writer.run(versions.install_models)
    with running.center.engine.connect() as connection:
        rows = versions.versions(connection)
    assert sorted(row["model"] for row in rows) == sorted(versions.SHIPPED)
    assert all(row["in_force"] for row in rows)


def test_what_does_not_fit_is_refused_with_the_facts_name(api: httpx.Client) -> None:
    for body, reason in (
        ({"facts": {"color": "red"}}, "color: there is no such fact"),
        ({"facts": {"value_usd": -1}}, "value_usd"),
        ({"facts": {"company_grade": "A"}}, "company_grade: the center adds this itself"),
        ({"facts": {"live": "yes"}}, "live: must be a flag"),
        ({"facts": {}, "reference": "a b"}, "reference"),
    ):
        answer = api.post("/api/v1/risk/cases", json={"model": "goods", "reference": "D1", **body})
        assert (answer.status_code, reason in answer.text) == (422, True), answer.text
    assert api.post("/api/v1/risk/cases", json={"model": "boats", "reference": "D1", "facts": {}}).status_code == 404
