"""Supervision in a real browser: a case from its opening to its closing, by keyboard, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from inspection_center.settings import Settings, SupervisionSettings
from inspection_center.supervision.events import BusinessEvent, emit_all
from tests.center.browsing import needs_chromium, sign_in, tab
from tests.center.running import RunningCenter
from tests.center_rules.test_supervision_center import judge, tell

pytestmark = needs_chromium


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCenter]:
    settings = Settings(supervision=SupervisionSettings(lateness_s=0, interval_s=0.2))
    with RunningCenter(tmp_path / "center", settings) as center:
        for name, role in (("li", "officer"), ("wang", "supervisor"), ("zhao", "supervisor"), ("sun", "auditor")):
            center.add_account(name, role)
        yield center


def answer(page: Page, words: str) -> None:
    sign_in(page, "li", "/supervision/mine")
    expect(page.get_by_role("heading", name="Concerning me")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This case is about you.")).to_be_visible()
    page.get_by_role("textbox", name="Your answer").fill(words)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".timeline").last).to_contain_text(words)


def test_a_case_is_answered_proposed_and_closed_by_two_persons(browser: Browser, running: RunningCenter) -> None:
    tell(running, "order.step_skipped", "li", order="o1", step="4", step_kind="goods", required=True, reason="no key")
    with tab(browser, running) as li, tab(browser, running) as one, tab(browser, running) as other:
        judge(running)
        sign_in(one, "wang", "/supervision")
        expect(one.get_by_role("link", name="Required step skipped")).to_be_visible()
        answer(li, "the container was locked")
        one.keyboard.press("j")
        one.keyboard.press("Enter")
        expect(one.get_by_text("reason: no key")).to_be_visible()
        expect(one.get_by_text("the container was locked")).to_be_visible()
        if one.get_by_role("button", name="Take this case").count():
            one.get_by_role("button", name="Take this case").click()
        one.get_by_label("Outcome").select_option("explained")
        one.locator("#reason").fill("the lock is in the photo of the seal")
        one.get_by_role("button", name="Propose to close").click()
        expect(one.get_by_text("another person must agree")).to_be_visible()
        sign_in(other, "zhao", "/supervision?state=proposed")
        other.get_by_role("link", name="Required step skipped").click()
        other.get_by_role("button", name="Agree and close").click()
        expect(other.get_by_text("Closed: Explained")).to_be_visible()
        li.reload()
        expect(li.locator(".timeline").last).to_contain_text("the lock is in the photo of the seal")
        expect(li.get_by_role("button", name="Send the answer")).to_have_count(0)


def test_points_and_statistics_are_readable_in_chinese(browser: Browser, running: RunningCenter) -> None:
    running.center.writer.run(
        lambda transaction: emit_all(
            transaction,
            [
                BusinessEvent("result.filed", "li", {"order": f"o{n}", "unfit": n % 4 == 0, "outcome": "x"}, "北区")
                for n in range(40)
            ],
        )
    )
    judge(running)
    with tab(browser, running, "zh", (1280, 900)) as page:
        sign_in(page, "sun", "/supervision/points")
        expect(page.locator("tbody tr")).to_have_count(60)
        expect(page.locator("#point-result_before_work")).to_contain_text("未查验先登记结果")
        page.get_by_role("link", name="监督统计").click()
        expect(page.locator("#supervision-chart canvas")).to_be_visible()
        expect(page.locator('#by-unit tr[data-name="北区"]')).to_contain_text("25.0 %")
        with page.expect_download() as download:
            page.locator('a[href*="by=officer"]').click()
        assert "li,40,10" in Path(download.value.path()).read_text(encoding="utf-8")
