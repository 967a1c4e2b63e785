"""A supervisor's draw in a real browser, from the preparation to the proof, and a citizen who looks at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from inspection_center.draws.ledger import details
from inspection_center.risk.cases import assess
from tests.center.browsing import needs_chromium, sign_in, tab
from tests.center.running import RunningCenter
from tests.center_rules.making import drand_record

pytestmark = needs_chromium


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_draw_is_prepared_committed_made_and_checked(
    browser: Browser, running: RunningCenter, language: str, tmp_path: Path
) -> None:
    running.add_account("wang", "supervisor")
    with tab(browser, running, language) as page:
        sign_in(page, "wang", "/draws")
        page.locator('select[name="kind"]').select_option("channels")
        page.locator('input[name="purpose"]').fill("lorries of the morning")
        page.locator('textarea[name="choices"]').fill("left 2\nmiddle 1\nright 1 A-17")
        page.locator('textarea[name="places"]').fill("A-17\nB-42")
        page.locator('form[action="/draws/preview"] button').click()
        expect(page.locator("tbody").first).to_contain_text("middle")
        page.locator('form[action="/draws"] button').click()
        page.wait_for_url("**/draws/1")
        digest = page.locator("dd code").first.inner_text()
        with running.center.engine.connect() as connection:
            committed = details(connection, 1)["statement"]["beacon"]["round"]
        with tab(browser, running, language) as citizen:
            citizen.goto("/public/draws/1")
            expect(citizen.locator("main")).to_contain_text(digest)
            page.locator('textarea[name="record"]').fill(drand_record(committed))
            page.locator('form[action$="/reveal"] button').click()
            expect(page.locator('a[href="/draws/1/proof.json"]')).to_be_visible()
            citizen.reload()
            expect(citizen.locator("table")).to_contain_text("left" if "left" in page.content() else "middle")
            with citizen.expect_download() as proof:
                citizen.locator('a[href="/public/draws/1/proof.json"]').click()
            with citizen.expect_download() as verifier:
                citizen.locator('a[href="/public/draws/verify_draw.py"]').click()
            told = citizen.locator("pre").first.inner_text()
            proof.value.save_as(tmp_path / proof.value.suggested_filename)
            verifier.value.save_as(tmp_path / "verify_draw.py")
        command = told.split()
        assert command[0] == "python3"
        ran = subprocess.run(
            [sys.executable, "-I", *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_score_and_a_list_of_warnings_in_the_browser(
    browser: Browser, running: RunningCenter, tmp_path: Path
) -> None:
    running.add_account("wang", "supervisor")
    listed = tmp_path / "recalls.csv"
    listed.write_text("id,source,kind,severity,hs_code\nR1,EU,recall,3,0203\n", encoding="utf-8")
    with tab(browser, running) as page:
        sign_in(page, "wang", "/risk/warnings")
        page.locator('input[name="file"]').set_input_files(listed)
        page.locator('form[action="/risk/warnings"] button').click()
        expect(page.get_by_role("status")).to_contain_text("1 new warnings")
        running.center.writer.run(
            lambda transaction: assess(
                transaction, "test", "goods", "D7", {"used_goods": True}, goods={"hs_code": "0203"}
            )
        )
        page.goto("/risk")
        page.get_by_role("link", name="D7").click()
        expect(page.locator("main")).to_contain_text("Always inspected")
        expect(page.locator("main")).to_contain_text("A grave warning is always inspected")
        bars = page.locator("meter")
        assert bars.count() >= 5
        widest = bars.first.bounding_box()
        assert widest is not None
        assert widest["width"] > 20
