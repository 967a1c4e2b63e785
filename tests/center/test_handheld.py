"""What the center takes from a handheld and what not, whatever the handheld says."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from inspection_center import orders
from inspection_center.auth.permissions import Principal
from inspection_center.handheld.receipts import read_receipt
from tests.center.running import RunningCenter
from tests.center.test_pages import csrf

WANG = Principal("officer", "wang", "supervisor")
JPEG = b"\xff\xd8\xff\xe0 a photo"
WHOLE = (
    {"step": "1", "state": "done"},
    {"step": "2", "state": "done", "number": "CSQU3054383"},
    {"step": "3", "state": "done", "number": "SL1", "value": "intact"},
    {"step": "4", "state": "failed", "value": "not_as_declared", "note": "other goods"},
    {"step": "5", "state": "done", "value": "sound"},
    {"step": "6", "state": "skipped", "note": "cannot be reached"},
    {"step": "8", "state": "done", "value": "held"},
)


@pytest.fixture
def running(running_on_each: RunningCenter) -> RunningCenter:
    """Every test here holds on both databases."""
    running_on_each.add_account("li", "officer")
    running_on_each.add_account("wang", "supervisor")
    return running_on_each


def give(running: RunningCenter, assignee: str = "") -> str:
    center = running.center
    return center.writer.run(
        lambda transaction: orders.give_order(
            transaction, center.key, WANG, None, "inspection", timedelta(hours=1), assignee=assignee
        )
    )


def send(http: httpx.Client, order: str, *records: dict[str, Any]) -> list[str]:
    made = [
        {"id": str(uuid4()), "order_id": order, "recorded": datetime.now(UTC).isoformat(), **record}
        for record in records
    ]
    answer = http.post("/handheld/records", json={"records": made}, headers={"X-CSRF-Token": csrf(http)["csrf"]})
    assert answer.status_code == 200, answer.text
    return [answer.json()["answers"][record["id"]] for record in made]


def test_a_whole_inspection_is_filed_with_a_receipt(running: RunningCenter) -> None:
    order = give(running)
    with running.browser("li") as http:
        assert send(http, order, *WHOLE) == [""] * 7
        assert send(http, order, {"step": "1", "state": "done"}) == ["over"]
    with running.center.engine.connect() as connection:
        found = orders.order_details(connection, order)
        receipt = read_receipt(connection, found["receipt"])
    assert (found["state"], found["skipped"], found["unfinished"]) == ("done", ["container"], [])
    assert (receipt.body["result"], receipt.body["container"], receipt.body["officer"]) == ("held", "CSQU3054383", "li")
    states = {step["kind"]: step["state"] for step in receipt.body["steps"]}
    assert (states["goods"], states["container"], states["sensor_sweep"]) == ("failed", "skipped", "open")


@pytest.mark.parametrize(
    ("record", "refusal"),
    [
        ({"step": "2", "state": "done", "number": "CSQU3054384"}, "number"),
        ({"step": "2", "state": "done", "number": "csqu3054383"}, "number"),
        ({"step": "2", "state": "failed", "number": "CSQU3054384"}, "reason"),
        ({"step": "3", "state": "done", "value": "intact"}, "number"),
        ({"step": "3", "state": "done", "value": "broken", "number": "1"}, "choice"),
        ({"step": "4", "state": "done", "value": "whatever"}, "choice"),
        ({"step": "5", "state": "skipped"}, "reason"),
        ({"step": "8", "state": "done", "value": "released"}, "unfinished"),
        ({"step": "8", "state": "skipped", "note": "x"}, "reason"),
        ({"step": "9", "state": "done"}, "unknown"),
        ({"step": "1", "state": "done", "photos": ["0" * 64]}, "photo"),
    ],
)
def test_what_does_not_fit_its_step_is_refused(running: RunningCenter, record: dict[str, Any], refusal: str) -> None:
    order = give(running, "li")
    with running.browser("li") as http:
        assert send(http, order, record) == [refusal]
    with running.center.engine.connect() as connection:
        assert {step["state"] for step in orders.order_details(connection, order)["steps"]} == {"open"}


def test_only_the_officer_who_has_an_order_records_and_a_cancelled_one_takes_nothing(running: RunningCenter) -> None:
    mine, free = give(running, "wang"), give(running)
    with running.browser("li") as li, running.browser("wang") as wang:
        assert send(li, mine, {"step": "1", "state": "done"}) == ["others"]
        assert send(li, free, {"state": "taken"}) == [""]
        assert send(wang, free, {"state": "taken"}) == ["others"]
        assert wang.post(f"/orders/{free}/cancel", data=csrf(wang)).status_code == 200
        assert send(li, free, {"step": "1", "state": "done"}) == ["over"]
        assert send(li, "nothing", {"state": "taken"}) == ["unknown"]
        shown = li.get("/handheld/state").json()["orders"]
        assert mine not in [order["id"] for order in shown]


def test_photos_are_kept_under_their_hash_only(running: RunningCenter) -> None:
    order = give(running, "li")
    digest = hashlib.sha256(JPEG).hexdigest()
    with running.browser("li") as http:
        headers = {"X-CSRF-Token": csrf(http)["csrf"]}
        assert http.put(f"/handheld/photos/{digest}", content=JPEG).status_code == 403
        assert http.put(f"/handheld/photos/{'0' * 64}", content=JPEG, headers=headers).status_code == 422
        page = b"<script>alert(1)</script>"
        place = f"/handheld/photos/{hashlib.sha256(page).hexdigest()}"
        assert http.put(place, content=page, headers=headers).status_code == 415
        for _ in range(2):
            assert http.put(f"/handheld/photos/{digest}", content=JPEG, headers=headers).status_code == 201
        assert send(http, order, {"step": "1", "state": "done", "photos": [digest]}) == [""]
        shown = http.get(f"/api/v1/blobs/{digest}")
        assert (shown.content, shown.headers["content-type"]) == (JPEG, "image/jpeg")


def test_malformed_records_are_refused_in_one_line(running: RunningCenter) -> None:
    with running.browser("li") as http:
        headers = {"X-CSRF-Token": csrf(http)["csrf"], "Content-Type": "application/json"}
        for body in (b"", b"[]", b'{"records": [{}]}', b'{"records": [], "more": 1}', b"\xff"):
            answer = http.post("/handheld/records", content=body, headers=headers)
            assert answer.status_code == 422
            assert "\n" not in answer.text
        assert http.post("/handheld/records", content=b"x" * (2**20 + 1), headers=headers).status_code == 413
