"""The public pages over a real center: what they tell, and that they tell nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import event, select

from inspection_center.blobs import FileBlobStore
from inspection_center.public import challenge
from inspection_center.public.limits import PublicLimits
from inspection_center.public.tables import used_challenge
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import VerifyKey
from tests.center.running import RunningCenter
from tests.center_rules.test_declarations import LI, PHOTO, VIN, Office, goods, staffed

PLACES = (
    "/public",
    "/public/progress",
    "/public/items",
    "/public/subjects",
    "/public/subjects/3",
    "/public/statistics",
)
KNOWN = {"registration_number": "3201966A2B", "number": "D-1"}
WRONG_PAIRS = (
    {"registration_number": "3201966A2B", "number": "D-2"},
    {"registration_number": "9999999999", "number": "D-1"},
    {"registration_number": "9999999999", "number": "D-9"},
    {"registration_number": "' OR 1=1 --", "number": "<script>"},
    {"registration_number": "", "number": ""},
)


@pytest.fixture
def office(running: RunningCenter) -> Office:
    return staffed(running)


@pytest.fixture
def http(running: RunningCenter) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, headers={"Accept-Language": "en"}) as client:
        yield client


def form(http: httpx.Client) -> dict[str, str]:
    """The fields of the form, its work solved."""
    text = http.get("/public/progress").text
    found = dict(re.findall(r'name="(token|sum_token)" value="([^"]+)"', text))
    terms = re.search(r"What is (\d+) plus (\d+)", text)
    identity = re.search(r'data-work="([0-9a-f]+)"', text)
    assert terms is not None
    assert identity is not None
    return {**found, "work": identity[1], "sum_answer": str(int(terms[1]) + int(terms[2]))}


def ask(http: httpx.Client, numbers: dict[str, str]) -> httpx.Response:
    fields = form(http)
    solved = {"token": fields["token"], "answer": challenge.solve_work(fields["work"])}
    return http.post("/public/progress", data={**numbers, **solved})


def test_whoever_knows_both_numbers_learns_how_far_it_is(office: Office, http: httpx.Client) -> None:
    identity = office.inspected()
    page = ask(http, KNOWN).text
    assert "Decision" in page
    assert identity in page
    for secret in ("wang", "chief", "Blue", "87.", "score"):
        assert secret not in page
    office.do(LI, identity, "release")
    page = ask(http, {"registration_number": " 3201966a2b ", "number": "d-1"}).text
    receipt = re.search(r"/public/receipts/([0-9a-f]{32})", page)
    assert receipt is not None
    assert "genuine and valid" in http.get(f"/public/receipts/{receipt[1]}").text
    assert f"/public/items/vin/{VIN}" in page


def test_every_pair_that_is_none_gets_the_same_answer(office: Office, http: httpx.Client) -> None:
    office.accept(goods())
    statements: list[str] = []
    event.listen(
        office.center.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement) if "release_receipt" in statement else None,
    )
    answers = []
    for numbers in WRONG_PAIRS:
        statements.clear()
        answer = ask(http, numbers)
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        answers.append((answer.status_code, answer.text, headers, tuple(statements)))
    assert answers[0][0] == 404
    assert len(answers[0][3]) == 1, "one query decides"
    assert all(answer == answers[0] for answer in answers)
    statements.clear()
    assert ask(http, KNOWN).status_code == 200
    assert tuple(statements) == answers[0][3], "and the same one when there is such a declaration"


def test_a_challenge_is_good_once_and_needed(office: Office, http: httpx.Client) -> None:
    office.accept(goods())
    fields = form(http)
    by_sum = {**KNOWN, "sum_token": fields["sum_token"], "sum_answer": fields["sum_answer"]}
    assert http.post("/public/progress", data=by_sum).status_code == 200
    assert http.post("/public/progress", data=by_sum).status_code == 403
    wrong = {**KNOWN, "sum_token": form(http)["sum_token"], "sum_answer": "1"}
    for data in (wrong, KNOWN, {**KNOWN, "token": "x", "answer": "1"}):
        answer = http.post("/public/progress", data=data)
        assert answer.status_code == 403
        assert "not solved in time" in answer.text
    with office.center.engine.connect() as connection:
        assert len(connection.execute(select(used_challenge)).all()) == 1
    later = challenge.LIFE_S + 10 + 2_000_000_000
    assert office.write(lambda transaction: challenge.forget(transaction, later)) == 1


def test_guessing_is_slowed_down_by_address_and_by_number(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspection_center.pages.public.monotonic", lambda: 0.0)
    refused = 0
    for _ in range(8):
        fields = form(http)
        answer = http.post(
            "/public/progress",
            data={**KNOWN, "sum_token": fields["sum_token"], "sum_answer": fields["sum_answer"]},
        )
        refused += answer.status_code == 429
    assert refused == 2, "six sums a minute from one address"
    for _ in range(40):
        answer = http.post("/public/progress", data=KNOWN)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"


def test_one_declaration_is_asked_for_a_limited_number_of_times() -> None:
    limits = PublicLimits()
    assert [limits.by_declaration.allows("x", 0.0) for _ in range(21)][-2:] == [True, False]
    assert [limits.by_registration.allows("x", 0.0) for _ in range(61)][-2:] == [True, False]


def test_an_item_shows_its_certificate_and_the_released_pictures_only(office: Office, http: httpx.Client) -> None:
    identity = office.inspected()
    assert isinstance(office.center.blobs, FileBlobStore)
    folder = office.center.state / "evidence" / PHOTO["sha256"][:2]
    folder.mkdir(parents=True)
    (folder / PHOTO["sha256"]).write_bytes(b"photo")
    private = hashlib.sha256(b"private").hexdigest()
    place = f"/public/items/vin/{VIN}"
    unpublished = http.get(place)
    assert unpublished.status_code == 404
    office.do(LI, identity, "release", photos=[PHOTO["sha256"]])
    page = http.get(place.lower().replace("public/items/vin", "public/items/vin"))
    assert page.status_code == 200
    assert "genuine and valid" in page.text
    assert "<svg" in page.text
    for secret in ("3201966A2B", "Blue", "D-1", "MSKU"):
        assert secret not in page.text
    certificate = http.get(f"{place}/certificate.json").json()
    VerifyKey.from_text(certificate["key"]).verify(canonical_bytes(certificate["content"]), certificate["signature"])
    assert certificate["key"] == http.get("/api/v1/exchange/key").json()["receipts"]
    assert http.get(f"{place}/photos/{PHOTO['sha256']}").content == b"photo"
    assert http.get(f"{place}/photos/{private}").status_code == 404
    assert http.get(f"/public/items/vin/11111111111111111/photos/{PHOTO['sha256']}").status_code == 404


def test_a_mistyped_vehicle_number_is_told_and_an_unknown_one_too(http: httpx.Client) -> None:
    mistyped = http.get("/public/items", params={"kind": "vin", "code": VIN[:-1] + "9"})
    assert mistyped.status_code == 422
    assert "check digit" in mistyped.text
    unknown = http.get("/public/items", params={"kind": "vin", "code": VIN}, follow_redirects=True)
    assert unknown.status_code == 404
    assert "Nothing is published" in unknown.text
    for kind in ("vin", "lot", "x", "<b>"):
        for code in ("<script>alert(1)</script>", "%00", "x" * 3000, "../../etc"):
            answer = http.get("/public/items", params={"kind": kind, "code": code})
            assert answer.status_code in (404, 422)
            assert "<script>alert" not in answer.text


def test_a_revoked_release_is_told_at_its_receipt(office: Office, http: httpx.Client) -> None:
    identity = office.inspected()
    office.do(LI, identity, "release")
    receipt = office.show(identity)["receipts"][0]["id"]
    office.do(LI, identity, "recall", reason="seal was forged")
    page = http.get(f"/public/receipts/{receipt}")
    assert "was revoked" in page.text
    assert "genuine" not in page.text
    assert http.get(f"/public/receipts/{'0' * 32}").status_code == 404


def test_figures_do_not_tell_of_single_declarations(office: Office, http: httpx.Client) -> None:
    for number in range(4):
        office.accept(goods(f"D-{number}"))
    row = re.search(r"Goods</th>(.*?)</tr>", http.get("/public/statistics").text, re.DOTALL)
    assert row is not None
    assert re.findall(r"<td[^>]*>([^<]+)<", row[1]) == ["&lt; 5"] * 5
    office.accept(goods("D-9"))
    row = re.search(r"Goods</th>(.*?)</tr>", http.get("/public/statistics").text, re.DOTALL)
    assert row is not None
    assert re.findall(r"<td[^>]*>([^<]+)<", row[1]) == ["5", "0", "0", "0", "0"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_need_no_sign_in_set_no_cookie_and_run_no_foreign_script(
    http: httpx.Client, place: str, language: str
) -> None:
    answer = http.get(place, params={"language": language})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in answer.text
    assert all(
        source.startswith("/static/")
        for source in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', answer.text)
    )


def test_the_public_does_not_reach_what_officers_see(office: Office, http: httpx.Client) -> None:
    identity = office.accept(goods())
    for place in (
        f"/declarations/{identity}",
        "/declarations",
        "/exchange",
        f"/api/v1/declarations/{identity}",
        "/live/map",
    ):
        assert http.get(place).status_code == 401
