"""The public pages in a real browser: accessible by axe-core's rules, usable by keyboard, and without scripts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.center.browsing import needs_chromium, tab
from tests.center.running import RunningCenter
from tests.center_rules.test_declarations import LI, PHOTO, VIN, goods, staffed

pytestmark = needs_chromium
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
PLACES = (
    "/public", "/public/progress", "/public/items/vin/x", f"/public/items/vin/{VIN}", "/public/subjects/2",
    "/public/statistics", "/public/receipts/unknown", "/public/draws",
)  # fmt: skip


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCenter]:
    with RunningCenter(tmp_path_factory.mktemp("public")) as running:
        made = staffed(running)
        identity = made.inspected()
        folder = made.center.state / "evidence" / PHOTO["sha256"][:2]
        folder.mkdir(parents=True)
        (folder / PHOTO["sha256"]).write_bytes(b"photo")
        assert hashlib.sha256(b"photo").hexdigest() == PHOTO["sha256"]
        made.do(LI, identity, "release", photos=[PHOTO["sha256"]])
        made.accept(goods("D-2"))
        yield running


def faults(page: Page) -> list[str]:
    """What axe-core has against a page: rule and element."""
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(
    ("language", "scheme", "width", "places"), [("en", "light", 1280, PLACES), ("zh", "dark", 390, PLACES[1::2])]
)
def test_every_public_page_is_accessible_and_fits(
    browser: Browser,
    port: RunningCenter,
    language: str,
    scheme: Literal["light", "dark"],
    width: int,
    places: tuple[str, ...],
) -> None:
    context = browser.new_context(base_url=port.url, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    found: dict[str, list[str]] = {}
    for place in places:
        page.goto(f"{place}?language={language}")
        found[place] = faults(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found[place] += [f"{wide} px too wide"] if wide > 0 else []
    context.close()
    assert {place: one for place, one in found.items() if one} == {}


def test_the_answer_is_accessible_and_reached_by_keyboard_alone(browser: Browser, port: RunningCenter) -> None:
    with tab(browser, port) as page:
        page.goto("/public/progress?language=en")
        page.locator("#registration").focus()
        page.keyboard.type("3201966A2B")
        page.keyboard.press("Tab")
        page.keyboard.type("D-1")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Released")).to_be_visible()
        assert faults(page) == []
        assert page.context.cookies() == []


def test_without_scripts_a_small_sum_takes_the_place_of_the_work(browser: Browser, port: RunningCenter) -> None:
    context = browser.new_context(base_url=port.url, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto("/public/progress")
    label = page.locator('label[for="sum"]').inner_text()
    first, second = (int(word) for word in label.split() if word.isdigit())
    page.locator("#registration").fill("3201966A2B")
    page.locator("#number").fill("D-2")
    page.locator("#sum").fill(str(first + second))
    page.locator("main button").click()
    expect(page.get_by_role("heading", name="已收到")).to_be_visible()
    context.close()


def test_the_pages_are_told_in_both_languages_without_a_cookie(browser: Browser, port: RunningCenter) -> None:
    with tab(browser, port) as page:
        page.goto("/public/subjects/1?language=en")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        page.get_by_role("link", name="查询申报进度").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        assert page.context.cookies() == []
