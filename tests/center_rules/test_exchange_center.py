"""The exchange over a real center: signed messages in, webhooks out to a real receiver, files, dead letters."""

from __future__ import annotations

import base64
import csv
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from inspection_center.declarations.queries import list_declarations
from inspection_center.exchange import delivering
from inspection_center.exchange.files import _cell
from inspection_center.exchange.outbox import RELEASE, tell
from inspection_center.exchange.signing import Ed25519VerifyKey, HmacKey, sign, verify
from inspection_center.settings import Settings
from inspection_contract.canonical import canonical_bytes
from inspection_contract.client import CenterClient
from inspection_contract.signatures import VerifyKey
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.center.test_pages import incident
from tests.center_rules.test_declarations import LI, staffed
from tests.center_rules.test_exchange_formats import CAR, SCHEMA, WINE, csv_file, document
from tests.center_rules.web import get, post
from tests.contract.builders import detection

SECRET = HmacKey(bytes(range(32)))
MESSAGES = "/api/v1/exchange/messages/single_window"


class Partner:
    """A partner's web server: keeps what it is sent, answers as it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        partner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                partner.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(partner.answers.pop(0) if partner.answers else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner()
    yield made
    made.close()


@pytest.fixture
def exchanging(tmp_path: Path, partner: Partner, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCenter]:
    monkeypatch.setenv("SINGLE_WINDOW_SECRET", f"whsec_{base64.b64encode(SECRET.secret).decode()}")
    monkeypatch.setattr(delivering, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(delivering, "_ROUND_S", 0.02)
    path = tmp_path / "partners.yaml"
    path.write_text(
        f"""partners:
  - name: single_window
    sends: {{mapping: import_single_window_json, secret_variable: SINGLE_WINDOW_SECRET}}
  - name: e_gate
    receives:
      url: "{partner.url}"
      types: [inspection.release.v1, inspection.release_revoked.v1]
      signature: ed25519
  - name: emergency_office
    receives: {{url: "{partner.url}", types: [inspection.alert.v1], format: cap, signature: ed25519}}
""",
        encoding="utf-8",
    )
    with RunningCenter(tmp_path / "center", Settings(exchange=str(path))) as running:
        yield running


def message(running: RunningCenter, content: object, identity: str = "msg_1", **headers: str) -> httpx.Response:
    body = json.dumps(content).encode()
    signed = sign(SECRET, identity, int(time.time()), body)
    return post(running, MESSAGES, content=body, headers={**signed, **headers})


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


def test_a_signed_message_is_taken_and_a_recorded_one_refused(exchanging: RunningCenter) -> None:
    answer = message(exchanging, document())
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["accepted"]) == 1
    replayed = message(exchanging, document())
    assert replayed.status_code == 409
    assert "msg_1 was taken before" in replayed.json()["detail"]


def test_the_same_record_again_changes_nothing_and_another_under_its_id_is_refused(exchanging: RunningCenter) -> None:
    message(exchanging, document())
    again = message(exchanging, document(), "msg_2").json()
    assert (again["accepted"], again["repeated"], again["refused"]) == ([], 1, [])
    changed = message(exchanging, document(number="D-77"), "msg_3").json()
    assert changed["accepted"] == []
    assert "another content" in changed["refused"][0]["reason"]
    with exchanging.center.engine.connect() as connection:
        assert [row["number"] for row in list_declarations(connection)] == ["D-1"]


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1"},
        {"webhook-signature": ""},
        {"webhook-id": "x" * 1000},
    ],
)
def test_a_message_that_cannot_be_trusted_is_refused_without_saying_why(
    exchanging: RunningCenter, headers: dict[str, str]
) -> None:
    answer = message(exchanging, document(), **headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, "this message cannot be trusted")
    unknown = post(exchanging, "/api/v1/exchange/messages/nobody", content=b"{}")
    assert (unknown.status_code, unknown.json()) == (401, answer.json())


def test_a_signed_message_that_is_no_such_document_is_refused(exchanging: RunningCenter) -> None:
    assert message(exchanging, [1]).status_code == 422
    assert message(exchanging, document(kind="CAT")).json()["refused"][0]["place"] == "record 1"


def test_a_file_is_imported_once_however_often_it_comes(running: RunningCenter) -> None:
    token = running.service_token("officer")
    place = "/api/v1/exchange/imports/import_single_window_csv"
    first = post(running, place, token, content=csv_file(CAR, WINE, CAR.replace("D-1", "D-5").replace("2788", "2789")))
    assert first.status_code == 200, first.text
    assert len(first.json()["accepted"]) == 2
    assert [one["place"] for one in first.json()["refused"]] == ["line 4"]
    second = post(running, place, token, content=csv_file(WINE, CAR)).json()
    assert (second["accepted"], second["repeated"]) == ([], 2)
    assert post(running, place, token, content=b"nothing").status_code == 422
    assert post(running, "/api/v1/exchange/imports/nothing", token, content=b"").status_code == 404
    assert post(running, place, running.service_token("auditor"), content=csv_file(CAR)).status_code == 403


def test_results_are_exported_with_cells_that_are_no_formulas(running: RunningCenter) -> None:
    office = staffed(running)
    identity = office.inspected()
    office.do(LI, identity, "release")
    token = running.service_token("auditor")
    answer = get(running, "/api/v1/exchange/exports/export_results_csv", token)
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["declaration_number"], row["state"], row["released_on"]) == ("D-1", "released", "inspection")
    releases = get(running, "/api/v1/exchange/exports/export_releases_json", token).json()
    assert releases[0]["declaration"] == identity
    assert get(running, "/api/v1/exchange/exports/export_releases_json", token, since="2999-01-01").json() == []
    assert [_cell(value) for value in ("=1+1", "@x", "-1", "plain", 3)] == ["'=1+1", "'@x", "'-1", "plain", 3]


def test_the_gate_is_told_of_a_release_and_of_its_end_and_can_check_both(
    exchanging: RunningCenter, partner: Partner
) -> None:
    office = staffed(exchanging)
    identity = office.inspected()
    office.do(LI, identity, "release")
    office.do(LI, identity, "recall", reason="forged seal")
    wait_for(lambda: len(partner.received) == 2)
    keys = get(exchanging, "/api/v1/exchange/key").json()
    bodies = []
    for headers, body in partner.received:
        parts = (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"])
        verify(Ed25519VerifyKey.from_text(keys["webhooks"]), *parts, body, time.time())
        bodies.append(json.loads(body))
    release, revocation = bodies
    assert (release["type"], revocation["type"]) == ("inspection.release.v1", "inspection.release_revoked.v1")
    receipt, signature = release["data"]["receipt"], release["data"]["signature"]
    VerifyKey.from_text(keys["receipts"]).verify(canonical_bytes(receipt), signature)
    assert receipt["containers"] == ["MSKU1234565"]
    assert revocation["data"]["receipt"] == receipt["id"]


def test_a_partner_that_is_away_is_told_later_under_the_same_id(exchanging: RunningCenter, partner: Partner) -> None:
    partner.answers = [503, 500, 302]
    exchanging.center.writer.run(lambda transaction: tell(transaction, RELEASE, {"receipt": {}}))
    wait_for(lambda: len(partner.received) == 4)
    assert len({headers["webhook-id"] for headers, _ in partner.received}) == 1

    def states() -> list[tuple[str, int]]:
        with exchanging.center.engine.connect() as connection:
            return [(row["state"], row["attempts"]) for row in delivering.list_deliveries(connection)]

    wait_for(lambda: states() == [("delivered", 4)])


def test_a_message_nobody_takes_becomes_a_dead_letter_that_can_be_sent_again(
    exchanging: RunningCenter, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "MAXIMUM_ATTEMPTS", 2)
    partner.answers = [500, 500]
    exchanging.center.writer.run(lambda transaction: tell(transaction, RELEASE, {"receipt": {}}))
    token = exchanging.service_token("administrator")
    dead = {"state": "dead"}
    wait_for(lambda: get(exchanging, "/api/v1/exchange/deliveries", token, **dead).json())
    (letter,) = get(exchanging, "/api/v1/exchange/deliveries", token, **dead).json()
    assert (letter["fault"], letter["attempts"]) == ("answered 500", 2)
    exchanging.add_account("chief", "supervisor")
    with exchanging.browser("chief") as http:
        page = http.get("/exchange?state=dead").text
        assert "answered 500" in page
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        http.post(f"/exchange/deliveries/{letter['number']}/again", data={"csrf": csrf})
    wait_for(lambda: len(partner.received) == 3)
    again = f"/api/v1/exchange/deliveries/{letter['number']}/again"
    wait_for(lambda: not get(exchanging, "/api/v1/exchange/deliveries", token, **dead).json())
    assert post(exchanging, again, token).status_code == 404
    assert post(exchanging, again, exchanging.service_token("auditor")).status_code == 403


def test_waits_grow_and_are_spread() -> None:
    assert [delivering.wait_s(attempts, 1.0) for attempts in (1, 2, 3)] == [5.0, 10.0, 20.0]
    assert delivering.wait_s(40, 1.0) == 4 * 3600.0
    assert delivering.wait_s(3, 0.0) == 10.0


def test_an_alert_that_an_officer_confirmed_goes_out_as_cap(exchanging: RunningCenter, partner: Partner) -> None:
    robot = exchanging.enrol()
    found = detection()
    case = incident(detections=[found.uuid])
    with CenterClient(exchanging.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [found, case]))
    token = exchanging.service_token("officer")
    told = get(exchanging, f"/api/v1/exchange/alerts/{case.uuid}.cap", token)
    SCHEMA.assertValid(etree.fromstring(told.content))
    assert partner.received == []
    decision = {"verdict": "approve", "reason": "seen"}
    assert post(exchanging, f"/api/v1/alerts/{case.uuid}/decision", token, json=decision).status_code == 204
    wait_for(lambda: partner.received)
    headers, body = partner.received[0]
    assert headers["content-type"] == "application/cap+xml"
    root = etree.fromstring(body)
    SCHEMA.assertValid(root)
    assert root.findtext("{*}identifier") == str(case.uuid)


def test_what_was_begun_before_a_kill_is_delivered_after_it(tmp_path: Path, partner: Partner) -> None:
    path = tmp_path / "partners.yaml"
    path.write_text(
        f"partners:\n  - name: gate\n    receives: {{url: '{partner.url}', signature: ed25519}}\n",
        encoding="utf-8",
    )
    with RunningCenter(tmp_path / "center") as running:
        running.center.writer.run(lambda transaction: tell(transaction, RELEASE, {"receipt": {}}))
    assert partner.received == []
    with RunningCenter(tmp_path / "center", Settings(exchange=str(path))):
        wait_for(lambda: partner.received)
