"""An inspection day played through in a real browser: from the file of the single window to the public's question."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import pytest
import zxingcpp
from playwright.sync_api import Browser, Page, expect

from inspection_center.declarations.queries import list_declarations
from inspection_center.settings import Settings, SupervisionSettings
from inspection_contract.resources import share
from tests.center.browsing import needs_chromium, photo, sign_in, tab
from tests.center.running import RunningCenter
from tests.center_rules.test_exchange_formats import CAR, WINE, csv_file

pytestmark = needs_chromium
SECRET = "5a" * 32
PEOPLE = {"chief": "supervisor", "desk": "officer", "auditor": "auditor"}
UNITS = {"anna": ("a", "yes"), "alan": ("a", "no"), "bela": ("b", "yes"), "boris": ("b", "no")}
SPARES = WINE.replace("D-2", "D-3").replace("L77-A", "S99-C").replace("Wine", "Spares").replace("220421", "870899")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[RunningCenter]:
    """A center whose supervision waits three seconds, not two hours, for an order to be begun."""
    rules = tmp_path / "supervision"
    shutil.copytree(share() / "config" / "supervision", rules)
    points = rules / "points" / "orders.yaml"
    text = points.read_text(encoding="utf-8")
    assert text.count("within: 2 h") == 1
    points.write_text(text.replace("within: 2 h", "within: 3 s"), encoding="utf-8")
    supervision = SupervisionSettings(rules=str(rules), lateness_s=0, interval_s=0.5)
    settings = Settings(spot_check_rate=0.0, supervision=supervision)
    with RunningCenter(tmp_path / "center", settings) as running:
        for name, role in (*PEOPLE.items(), *((name, "officer") for name in UNITS)):
            running.add_account(name, role)
        yield running


def roster() -> bytes:
    """Everybody is on duty for another hour."""
    begin, end = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    lines = ["officer,unit,lead,qualifications,conflicts,duty_from,duty_until"]
    lines += [
        f"{name},{unit},{lead},goods,,{begin.isoformat()},{end.isoformat()}" for name, (unit, lead) in UNITS.items()
    ]
    return "\n".join(lines).encode()


def upload(page: Page, form: str, name: str, content: bytes, folder: Path) -> None:
    path = folder / name
    path.write_bytes(content)
    page.locator(f'form[action="{form}"] input[type="file"]').set_input_files(path)
    page.locator(f'form[action="{form}"] button').click()


def draw(page: Page, kind: str) -> None:
    """Commit to a draw with a second party, then draw it with that party's secret."""
    page.goto("/draws")
    form = page.locator('form[action="/draws/preview"]')
    form.locator('select[name="kind"]').select_option(kind)
    form.locator('input[name="purpose"]').fill("Inspections of the day")
    form.locator('select[name="beacon"]').select_option("")
    form.locator('input[name="party_commitment"]').fill(hashlib.sha256(bytes.fromhex(SECRET)).hexdigest())
    form.locator("button").click()
    page.locator('form[action="/draws"] button').click()
    page.locator('input[name="party_secret"]').fill(SECRET)
    page.locator('form[action$="/reveal"] button').click()
    expect(page.locator("table caption").first).to_be_visible()


def state_of(page: Page, number: str, state: str) -> None:
    """Wait until a declaration is in a state; the page is read again until it is."""
    row = page.locator("#declarations tr", has_text=number)
    for _ in range(60):
        page.goto("/declarations")
        if state in row.inner_text():
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{number} is {row.inner_text()!r}, not {state}")


def inspect(page: Page, number: str, camera: Path) -> None:
    """Every step on the handheld."""
    page.get_by_role("link", name=re.compile(number)).click()
    for button in ("Take this order", "I am there"):
        if page.get_by_role("button", name=button, exact=True).is_visible():
            page.get_by_role("button", name=button, exact=True).click()
    step = page.locator(".walk.current")
    step.locator('input[name="number"]').fill("CSQU3054383")
    page.get_by_role("button", name="Record", exact=True).click()
    step.locator('input[value="intact"]').check()  # the step of the seal has this; both have a number
    step.locator('input[name="number"]').fill("SL 778-21")
    page.get_by_role("button", name="Record", exact=True).click()
    step.locator('input[value="as_declared"]').check()
    step.locator('input[type="file"]').set_input_files(camera)
    expect(step.locator(".thumbnails img")).to_be_visible()
    page.get_by_role("button", name="Record", exact=True).click()
    for _ in range(2):
        step.locator('input[value="sound"]').check()
        page.get_by_role("button", name="Record", exact=True).click()
        expect(step.locator('input[value="sound"]:checked')).to_have_count(0)
    step.locator("textarea").fill("no detector at hand")
    step.get_by_role("button", name="Skip").click()
    step.locator('input[value="released"]').check()
    page.get_by_role("button", name="File and finish").click()
    expect(page.get_by_role("link", name="Receipt")).to_be_visible()


def test_an_inspection_day_from_the_file_to_the_publics_question(
    browser: Browser, port: RunningCenter, tmp_path: Path
) -> None:
    with tab(browser, port) as chief, tab(browser, port) as desk:
        sign_in(chief, "chief", "/draws/roster")
        sign_in(desk, "desk", "/declarations")
        # The morning: who is on duty, and what was declared.
        upload(chief, "/draws/roster", "roster.csv", roster(), tmp_path)
        desk.locator('select[name="mapping"]').select_option("import_single_window_csv")
        broken = CAR.replace("D-1", "D-4").replace("2788", "2789")
        upload(desk, "/declarations/import", "day.csv", csv_file(CAR, WINE, SPARES, broken), tmp_path)
        expect(desk.locator("#report")).to_contain_text("3 taken, 0 were here already, 1 refused")
        expect(desk.locator("#report")).to_contain_text("line 5")
        # Both draws: what is inspected, and by whom.
        draw(chief, "objects")
        state_of(chief, "D-2", "to be inspected")
        draw(chief, "officers")
        state_of(chief, "D-2", "ordered")
        with port.center.engine.connect() as connection:
            found = {row["number"]: row for row in list_declarations(connection)}
        # Each chapter of the tariff is drawn from at least once: the wine, and one of the two of chapter 87.
        assert sorted(row["state"] for row in found.values()) == ["in_review", "ordered", "ordered"]
        (reviewed,) = [row["id"] for row in found.values() if row["state"] == "in_review"]
        (forgotten,) = [row for row in found.values() if row["state"] == "ordered" and row["number"] != "D-2"]
        wine = found["D-2"]
        assert {wine["inspector"], forgotten["inspector"]} <= set(UNITS)
        # On site, on a handheld.
        with tab(browser, port, size=(390, 844)) as handheld:
            sign_in(handheld, wine["inspector"], "/handheld")
            inspect(handheld, "D-2", photo(tmp_path / "goods.jpg", "GOODS"))
        state_of(desk, "D-2", "to be decided")
        # At the desk: documents, decision, receipt.
        desk.goto(f"/declarations/{reviewed}")
        desk.locator('button[value="pass_documents"]').click()
        expect(desk.locator("#state")).to_have_text("released")
        desk.goto(f"/declarations/{wine['id']}")
        desk.locator('input[name="photos"]').first.check()
        desk.locator('button[value="release"]').click()
        desk.get_by_role("link", name=re.compile("Receipt of")).click()
        shot = tmp_path / "receipt.png"
        desk.locator(".qr svg").screenshot(path=shot)
        address = zxingcpp.read_barcodes(cv2.imread(str(shot)))[0].text
        assert address == desk.locator("article code").last.inner_text()
        # Nobody begins the other inspection, and supervision says so by itself, about the officer it went to.
        case = chief.locator(".queue li", has_text=str(forgotten["order_id"]))
        for _ in range(60):
            chief.goto("/supervision")
            if case.count():
                break
            chief.wait_for_timeout(250)
        expect(case).to_contain_text("Order not begun")
        case.get_by_role("link", name="Order not begun").click()
        expect(chief.locator("main")).to_contain_text(forgotten["inspector"])
    # The public: progress, receipt, the item itself; nobody signs in.
    with tab(browser, port) as visitor:
        visitor.goto("/public")
        visitor.get_by_role("navigation").get_by_role("link", name="How far is my declaration?").click()
        visitor.get_by_label("Registration number").fill("3201966a2b")
        visitor.get_by_label("Declaration number").fill("D-2")
        visitor.get_by_role("button", name="Ask", exact=True).click()
        expect(visitor.get_by_role("heading", name="Released")).to_be_visible()
        visitor.locator('main a[href*="/public/items/"]').click()
        expect(visitor.get_by_text("The certificate is genuine and valid.")).to_be_visible()
        picture = visitor.locator(".photos img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        visitor.goto(address)
        expect(visitor.get_by_text("The receipt is genuine and valid.")).to_be_visible()
        visitor.goto("/public/draws")
        expect(visitor.locator("main")).to_contain_text("objects/")
        assert visitor.context.cookies() == []
