"""An officer carries an order out on a handheld, with and without a link: real Chromium, real center."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import cv2
import httpx
import pytest
import zxingcpp
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import func, select

from inspection_center import orders
from inspection_center.auth.permissions import Principal
from inspection_center.database import schema
from inspection_center.handheld.receipts import check_receipt
from inspection_center.handheld.tables import order_receipt, order_record
from tests.center.browsing import keep_picture, needs_chromium, photo, sign_in, tab
from tests.center.running import RunningCenter

pytestmark = needs_chromium
SUPERVISOR = Principal("officer", "wang", "supervisor")
HANDHELD = (390, 844)
TEXT = {
    "en": ("Take this order", "I am there", "Record", "File and finish", "Inspection"),
    "zh": ("领取此指令", "已到达", "记录", "归档并完成", "查验"),
}


@pytest.fixture
def page(browser: Browser, running: RunningCenter) -> Iterator[Page]:
    running.add_account("li", "officer")
    running.add_account("wang", "supervisor")
    with tab(browser, running, size=HANDHELD) as made:
        yield made


def give(running: RunningCenter, assignee: str = "", kind: str = "inspection", due_minutes: float = 60) -> str:
    center = running.center
    return center.writer.run(
        lambda transaction: orders.give_order(
            transaction, center.key, SUPERVISOR, None, kind, timedelta(minutes=due_minutes),
            place_name="Yard B, row 12", place=(3.0, 4.0), assignee=assignee,
        )
    )  # fmt: skip


def order(running: RunningCenter, identity: str) -> dict[str, object]:
    with running.center.engine.connect() as connection:
        return orders.order_details(connection, identity)


def open_handheld(page: Page, name: str = "li") -> None:
    """Open the page and wait until its worker has put it by for later."""
    sign_in(page, name, "/handheld")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")


def walk(page: Page, camera: Path, words: tuple[str, ...]) -> None:
    """Every step up to the result."""
    _, arrived, record, _, _ = words
    page.get_by_role("button", name=arrived, exact=True).click()
    step = page.locator(".walk.current")
    number = step.locator('input[name="number"]')
    number.press_sequentially("csqu305438")
    expect(step.locator(".verdict")).to_have_attribute("data-state", "short")
    number.press_sequentially("4")
    expect(step.locator(".verdict")).to_have_attribute("data-state", "wrong")
    expect(step.locator(".verdict")).to_contain_text("3")
    number.press("Backspace")
    number.press_sequentially("3")
    expect(step.locator(".verdict")).to_have_attribute("data-state", "right")
    step.locator('input[type="file"]').set_input_files(camera)
    expect(step.locator(".thumbnails img")).to_be_visible()
    page.get_by_role("button", name=record, exact=True).click()
    step.locator('input[value="intact"]').check()  # the step of the seal has this; both have a number
    step.locator('input[name="number"]').fill("SL 778-21")
    page.get_by_role("button", name=record, exact=True).click()
    for value in ("as_declared", "sound", "sound"):
        step.locator(f'input[value="{value}"]').check()
        page.get_by_role("button", name=record, exact=True).click()
        expect(step.locator(f'input[value="{value}"]:checked')).to_have_count(0)
    step.locator("textarea").fill("no detector at hand")
    step.get_by_role("button", name=re.compile("Skip|跳过")).click()


def test_an_order_begun_and_finished_without_a_link_is_filed_when_the_link_returns(
    page: Page, running: RunningCenter, tmp_path: Path
) -> None:
    identity = give(running)
    open_handheld(page)
    words = TEXT["en"]
    page.context.set_offline(True)
    page.reload()
    expect(page.locator("#link")).to_have_attribute("data-state", "offline")
    page.get_by_role("link", name=re.compile("Yard B, row 12")).click()
    page.get_by_role("button", name=words[0]).click()
    walk(page, photo(tmp_path / "camera.jpg", "CSQU3054383"), words)
    page.locator('.walk.current input[value="released"]').check()
    page.get_by_role("button", name=words[3]).click()
    expect(page.locator("#waits")).to_contain_text("9 records wait")
    keep_picture(page, "handheld_offline")
    page.reload()
    expect(page.locator(".walk .waits")).to_have_count(8)
    assert order(running, identity)["state"] == "issued"
    page.context.set_offline(False)
    expect(page.get_by_role("link", name="Receipt")).to_be_visible()
    expect(page.locator("#waiting")).to_be_hidden()
    found = order(running, identity)
    assert (found["state"], found["assignee"], found["skipped"], found["unfinished"]) == (
        "done",
        "li",
        ["sensor_sweep"],
        [],
    )
    steps = {step["kind"]: step for step in found["steps"]}
    assert (steps["container_number"]["number"], steps["seal"]["number"]) == ("CSQU3054383", "SL 778-21")
    (evidence,) = steps["container_number"]["evidence"]
    assert evidence["media_type"] == "image/jpeg"
    assert 1000 < evidence["size_bytes"] < 1_000_000


def test_a_receipt_carries_a_code_that_anybody_can_check_and_nothing_else_opens(
    page: Page, running: RunningCenter, tmp_path: Path
) -> None:
    give(running, assignee="li")
    open_handheld(page)
    page.get_by_role("link", name=re.compile("Yard B, row 12")).click()
    walk(page, photo(tmp_path / "camera.jpg", "CSQU3054383"), TEXT["en"])
    keep_picture(page, "handheld")
    page.locator('.walk.current input[value="held"]').check()
    page.get_by_role("button", name="File and finish").click()
    page.get_by_role("link", name="Receipt").click()
    expect(page.locator(".outcome")).to_have_text("Held")
    keep_picture(page, "receipt")
    shot = tmp_path / "code.png"
    page.locator(".code-figure svg").screenshot(path=shot)
    (code,) = zxingcpp.read_barcodes(cv2.imread(str(shot)))
    answer = httpx.get(code.text)
    assert answer.status_code == 200
    assert "Genuine" in answer.text
    assert "CSQU3054383" in answer.text
    assert "li</dd>" not in answer.text
    forged = code.text[:-4] + ("AAAA" if not code.text.endswith("AAAA") else "BBBB")
    assert httpx.get(forged).status_code == 404
    with running.center.engine.connect() as connection:
        row = connection.execute(select(order_receipt)).mappings().one()
        assert check_receipt(connection, running.center.key, row["number"], row["signature"]).body["result"] == "held"


def test_what_is_sent_twice_counts_once_and_a_second_officer_is_refused(
    page: Page, browser: Browser, running: RunningCenter
) -> None:
    identity = give(running)
    open_handheld(page)
    with tab(browser, running, size=HANDHELD) as other:
        open_handheld(other, "wang")
        for one in (page, other):
            one.get_by_role("link", name=re.compile("Yard B")).click()
            one.context.set_offline(True)
            one.get_by_role("button", name="Take this order").click()
            one.get_by_role("button", name="I am there").click()
            expect(one.locator("#waits")).to_contain_text("2 records")
        lose_answers(page.context, 2)
        page.context.set_offline(False)
        expect(page.locator("#waiting")).to_be_hidden(timeout=30_000)
        other.context.set_offline(False)
        expect(other.locator("#waiting")).to_contain_text("Another officer has this order.")
        other.get_by_role("button", name="Discard").first.click()
        expect(other.get_by_role("button", name="Discard")).to_have_count(1)
        other.get_by_role("button", name="Discard").click()
        expect(other.locator("#waiting")).to_be_hidden()
    found = order(running, identity)
    assert (found["assignee"], found["state"]) == ("li", "running")
    with running.center.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(order_record)).scalar_one() == 2


def lose_answers(context: BrowserContext, number: int) -> None:
    """Let the center get some of the records, and lose its answers on the way."""
    left = [number]

    def lose(route: object) -> None:
        if left[0]:
            left[0] -= 1
            route.fetch()
            route.abort()
        else:
            route.continue_()

    context.route("**/handheld/records", lose)


def test_records_of_an_officer_who_is_signed_out_wait_for_that_officer(page: Page, running: RunningCenter) -> None:
    identity = give(running, assignee="li")
    open_handheld(page)
    page.get_by_role("link", name=re.compile("Yard B")).click()
    page.context.set_offline(True)
    page.get_by_role("button", name="I am there").click()
    expect(page.locator("#waits")).to_contain_text("1 records")
    with running.center.engine.begin() as connection:
        connection.execute(schema.session.delete())
    page.context.set_offline(False)
    expect(page.locator("#link")).to_have_attribute("data-state", "signed_out")
    page.get_by_role("link", name="Sign in to send it").click()
    sign_in(page, "wang", "/handheld")
    expect(page.locator("#waiting")).to_contain_text("another officer")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login?next=/handheld")
    open_handheld(page)
    page.get_by_role("link", name=re.compile("Yard B")).click()
    expect(page.locator(".walk-done")).to_have_count(1)
    expect(page.locator("#waiting")).to_be_hidden()
    assert order(running, identity)["steps"][0]["state"] == "done"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_handheld_fits_its_screen_in_both_languages_and_can_be_installed(
    browser: Browser, running: RunningCenter, language: str
) -> None:
    running.add_account("li", "officer")
    running.add_account("wang", "supervisor")
    give(running, assignee="li")
    give(running, due_minutes=0.0001)
    with tab(browser, running, language, HANDHELD) as page:
        open_handheld(page)
        expect(page.locator(".order.late")).to_have_count(1)
        keep_picture(page, f"handheld_list_{language}")
        page.locator(".order").first.click()
        page.get_by_role("button", name=TEXT[language][1]).click()
        expect(page.locator(".walk.current")).to_have_attribute("aria-current", "step")
        page.locator('input[name="number"]').fill("CSQU3054384")
        keep_picture(page, f"handheld_step_{language}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        heights = page.evaluate(
            "[...document.querySelectorAll('main button, main .button')].map((b) => b.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44
        manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((a) => a.json())")
        assert manifest["start_url"] == "/handheld"
        assert manifest["lang"] == {"en": "en", "zh": "zh-CN"}[language]
        for icon in manifest["icons"]:
            assert httpx.get(running.url + icon["src"]).status_code == 200
