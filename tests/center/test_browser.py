"""The officer's whole path in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from inspection_center.auth import accounts
from inspection_center.database import schema
from inspection_contract.commands import Announcement, IncidentDecision, LiveViewRequest, Order
from tests.center.browsing import Reporter, keep_picture, layer_png, needs_chromium, sign_in, tab
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.center.test_pages import commands
from tests.contract.builders import detection

pytestmark = needs_chromium
WORDS = {
    "en": ("Raised body temperature", "claimed · li", "approved", "Case filed", "Go to a place"),
    "zh": ("体温偏高", "已认领 · li", "已批准", "归档", "前往某处"),
}
HALL = (-20.0, -10.0, 20.0, 10.0)
"""West, south, east, north of the simulated hall [m]: `map` lies in its middle."""


@pytest.fixture
def page(browser: Browser, running: RunningCenter) -> Iterator[Page]:
    running.add_account("li", "officer")
    with tab(browser, running) as made:
        yield made


@pytest.fixture
def robot(running: RunningCenter) -> Iterator[Reporter]:
    reporter = Reporter(running)
    reporter.status()
    yield reporter
    reporter.client.close()


def hall() -> np.ndarray:  # type: ignore[type-arg]  # (rows, columns) uint8, north up
    cells = np.zeros((200, 400), np.uint8)
    cells[[0, -1], :] = cells[:, [0, -1]] = 100
    cells[60:64, 80:300] = 100
    cells[120:, 200:204] = 100
    return cells


def press_until(page: Page, key: str, name: str) -> None:
    """Walk with a key until something is in focus whose name begins so; by keyboard alone."""
    for _ in range(80):
        page.keyboard.press(key)
        focused = page.evaluate(
            "document.activeElement.innerText || document.activeElement.value || document.activeElement.name || ''"
        )
        if focused.startswith(name):
            return
    raise AssertionError(f"{name} cannot be reached with {key}")


def on_screen(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_robots_alarms_and_layers_lie_where_they_are_in_the_map(page: Page, robot: Reporter) -> None:
    west, south, east, north = HALL
    robot.client.put_layer("map", layer_png(hall()), 0.1, west, south)
    field = np.full((40, 80), 255, np.uint8)
    field[10:16, 50:58] = 90
    robot.client.put_layer("radiation", layer_png(field), 0.5, west, south)
    robot.status(x=-10.0, y=5.0, people=[{"track": "7", "x": -9.0, "y": 4.0}])
    robot.alarm(x=10.0, y=-5.0)
    robot.alarm(x=None)
    sign_in(page)
    expect(page.locator("#map .cells")).to_have_count(2)
    expect(page.locator("#map .mark.robot")).to_be_visible()
    expect(page.locator("#map .mark.person")).to_be_visible()
    expect(page.locator("#map .mark.alarm")).to_have_count(1)
    expect(page.locator("#unplaced")).to_contain_text("1 alerts have no known place")
    expect(page.locator("#map")).to_have_attribute("data-looked", "3")
    box = page.locator("#map .cells").first.bounding_box()
    assert box is not None
    for selector, x, y in ((".mark.robot", -10.0, 5.0), (".mark.alarm", 10.0, -5.0), (".mark.person", -9.0, 4.0)):
        seen = on_screen(page, f"#map {selector}")
        wanted = (
            box["x"] + box["width"] * (x - west) / (east - west),
            box["y"] + box["height"] * (north - y) / (north - south),
        )
        assert abs(seen[0] - wanted[0]) < 4, selector
        assert abs(seen[1] - wanted[1]) < 4, selector
    hidden = page.get_by_label("Radiation")
    hidden.uncheck()
    expect(page.locator("#map .cells")).to_have_count(1)


def test_without_a_map_nothing_is_drawn_in_its_place(page: Page, running: RunningCenter, robot: Reporter) -> None:
    Reporter(running, "robot_2").status(x=None)
    sign_in(page)
    expect(page.locator("#no-plan")).to_be_visible()
    expect(page.locator("#unplaced")).to_contain_text("robot_2")
    expect(page.locator("#map .mark.robot")).to_have_count(1)


@pytest.mark.parametrize(("language", "size"), [("en", (1280, 720)), ("zh", (1280, 720)), ("zh", (390, 844))])
def test_the_officers_whole_path(
    browser: Browser, running: RunningCenter, robot: Reporter, language: str, size: tuple[int, int]
) -> None:
    """Alarm, claim, evidence, decision, dispatch of a robot and a colleague, live view, announcement, filing."""
    alarm, claimed, approved, filed, dispatch = WORDS[language]
    running.add_account("li", "officer")
    running.add_account("wang", "officer")
    robot.client.put_layer("map", layer_png(hall()), 0.1, HALL[0], HALL[1])
    with tab(browser, running, language, size) as page, tab(browser, running, language, (390, 844)) as colleague:
        sign_in(colleague, "wang")
        sign_in(page)
        expect(page.locator("#link")).to_have_attribute("data-state", "connected")
        identity = robot.alarm()
        item = page.locator(f"#alert-{identity}")
        expect(item).to_be_visible(timeout=2_000)
        expect(page.locator("#alarm")).to_have_text(alarm)
        expect(page.locator("#map .mark.alarm")).to_be_visible()
        keep_picture(page, f"command_{language}_{size[0]}")
        item.locator('[data-key="c"]').click()
        expect(item).to_contain_text(claimed)
        item.locator('[data-key="Enter"]').click()
        expect(page.get_by_text("38.40 ± 0.21 °C")).to_be_visible()
        image = page.locator(".finding img").first
        expect(image).to_be_visible()
        assert image.evaluate("image => image.complete && image.naturalWidth") == 160
        page.locator("#reason").fill("clear picture")
        page.locator('button[value="approve"]').click()
        expect(page.locator("h1")).to_contain_text(approved)
        expect(page.locator(".timeline")).to_contain_text("clear picture")
        page.locator('select[name="to"]').select_option("robot:robot_1")
        page.locator('[data-key="s"]').click()
        page.locator('select[name="to"]').select_option("officer:wang")
        page.locator('[data-key="s"]').click()
        expect(page.locator('[aria-labelledby="dispatch"] .facts')).to_have_count(2)
        keep_picture(page, f"alert_{language}_{size[0]}")
        (order,) = [Order.model_validate_json(text) for text in commands(running, Order.TYPE)]
        assert order.place is not None
        assert (order.kind, order.place.position.x, order.officer) == ("dispatch", 6.5, "li")
        expect(colleague.locator(".mine")).to_contain_text(dispatch)
        page.locator('[data-key="r"]').click()
        expect(page.locator("#live-thermal")).to_have_class(re.compile("absent"))
        assert commands(running, LiveViewRequest.TYPE) == []
        for camera, colour in (("thermal", (0, 80, 200)), ("rgb", (120, 140, 90))):
            page.locator(f'form:has(input[value="{camera}"]) button[value="yes"]').click()
            asked = LiveViewRequest.model_validate_json(commands(running, LiveViewRequest.TYPE)[-1])
            assert (asked.camera, asked.enable, asked.officer) == (camera, True, "li")
            frame = cv2.imencode(".jpg", np.full((120, 160, 3), colour, np.uint8))[1].tobytes()
            robot.client.put_live_picture(camera, frame)
            expect(page.locator(f"#live-{camera}")).not_to_have_class(re.compile("absent"))
        page.locator('textarea[name="text_zh"]').fill("请在此等候")
        page.locator('textarea[name="text_en"]').fill("Please wait here")
        page.locator('select[name="priority"]').select_option("3")
        page.locator('form[action="/announcements"] button').click()
        (said,) = [Announcement.model_validate_json(text) for text in commands(running, Announcement.TYPE)]
        assert (said.text_zh, said.text_en, int(said.priority)) == ("请在此等候", "Please wait here", 3)
        page.goto(f"/alerts/{identity}")
        page.locator('button[value="file"]').click()
        expect(page.locator(".timeline")).to_contain_text(filed)
        page.goto("/")
        expect(page.locator(f"#alert-{identity}")).to_have_count(0)


def test_the_whole_path_by_keyboard_alone(page: Page, running: RunningCenter, robot: Reporter) -> None:
    first, second = robot.alarm(), robot.alarm()
    page.goto("/")
    page.keyboard.type("li")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    page.keyboard.press("j")
    expect(page.locator(f"#alert-{first}")).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator(f"#alert-{first}")).to_contain_text("claimed · li")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decision")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("h1")).to_contain_text("approved")
    page.keyboard.press("s")
    expect(page.locator('[aria-labelledby="dispatch"] .facts')).to_contain_text("robot_1")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Live picture")).to_be_visible()
    with page.expect_navigation():
        page.keyboard.press("t")
    press_until(page, "Tab", "text_zh")
    page.keyboard.type("请让一让")
    press_until(page, "Tab", "Let this robot say it")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"/alerts/{first}")
    press_until(page, "Tab", "File the case")
    page.keyboard.press("Enter")
    expect(page.locator(".timeline")).to_contain_text("Case filed")
    page.goto("/")
    page.keyboard.press("j")
    expect(page.locator(f"#alert-{second}")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{second}")
    page.keyboard.press("d")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("reflection of the sun")
    press_until(page, "Tab", "Dismiss")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided by li: reflection of the sun")).to_be_visible()
    told = [IncidentDecision.model_validate_json(text) for text in commands(running, IncidentDecision.TYPE)]
    assert [int(decision.decision) for decision in told] == [0, 1]
    assert len(commands(running, LiveViewRequest.TYPE)) == 1
    assert len(commands(running, Announcement.TYPE)) == 1


def test_a_supervisor_sees_what_is_late(browser: Browser, running: RunningCenter, robot: Reporter) -> None:
    running.add_account("wang", "supervisor")
    late, fresh = robot.alarm(), robot.alarm()
    with running.center.engine.begin() as connection:
        connection.execute(
            schema.alert.update().where(schema.alert.c.id == late).values(opened="2026-01-01T00:00:00.000000Z")
        )
    with tab(browser, running) as page:
        sign_in(page, "wang")
        expect(page.locator(f"#alert-{late}")).to_contain_text("late")
        expect(page.locator(f"#alert-{fresh}")).not_to_contain_text("late")
        assert page.locator("[data-alert]").first.get_attribute("data-alert") == late


def test_forty_robots_tell_which_is_silent_and_what_it_still_holds(browser: Browser, running: RunningCenter) -> None:
    running.add_account("li", "officer")
    for number in range(1, 41):
        reporter = Reporter(running, f"robot_{number}")
        reporter.status(
            x=None, outbox_findings=number, oldest_unsent_s=4000.0 if number == 17 else 5.0 * number, battery=0.5
        )
        reporter.client.close()
    robot = schema.robot
    with running.center.engine.begin() as connection:
        connection.execute(
            robot.update().where(robot.c.name == "robot_23").values(last_seen="2026-01-01T00:00:00.000000Z")
        )
    with tab(browser, running) as page:
        sign_in(page, place="/robots")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(40)
        expect(rows.first).to_contain_text("robot_23")
        expect(rows.first).to_contain_text("silent for")
        expect(page.locator(".tiles")).to_contain_text("820 findings not sent yet")
        keep_picture(page, "fleet")
        page.get_by_role("link", name="Oldest unsent").click()
        expect(rows.first).to_contain_text("robot_17")
        expect(rows.first).to_contain_text("1:06:40")
        expect(page.locator('th[aria-sort="descending"]')).to_contain_text("Oldest unsent")
        page.get_by_role("link", name="Unsent findings").click()
        expect(rows.first).to_contain_text("robot_40")


def test_a_finding_is_on_the_live_page_as_soon_as_it_is_stored(page: Page, robot: Reporter) -> None:
    sign_in(page, place="/findings")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    robot.alarm()
    row = page.locator("#findings tr").first
    expect(row).to_contain_text("38.40 ± 0.21 °C")
    expect(row.locator("img")).to_be_visible()
    page.goto("/language/zh")
    page.goto("/findings")
    expect(page.get_by_text("体温偏高").first).to_be_visible()


def test_text_of_a_robot_stays_text(page: Page, robot: Reporter) -> None:
    sign_in(page, place="/findings")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    attack = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    sent = events(robot.robot.name, [detection(subject=attack)], outbox=uuid4())
    robot.client.send_events(robot.robot.name, robot.robot.key, sent)
    expect(page.locator("#findings")).to_contain_text("<img src=x")
    assert page.title() != "broken"


PLACES = (
    "/", "/findings", "/robots", "/robots/robot_1", "/orders", "/robot-rules", "/watchlist", "/statistics", "/audit",
    "/quarantine",
)  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_fit_a_desk_and_a_handheld(
    browser: Browser, running: RunningCenter, robot: Reporter, language: str, width: int, height: int
) -> None:
    running.add_account("wang", "supervisor")
    alert = robot.alarm()
    link = running.center.writer.run(lambda transaction: accounts.new_link(transaction, "test", "wang"))
    with tab(browser, running, language, (width, height)) as page:
        page.goto(f"/login/link/{link}")
        overflow = {}
        for place in (*PLACES, f"/alerts/{alert}"):
            page.goto(place)
            expect(page.locator("main")).to_be_visible()
            overflow[place] = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        assert {place: pixels for place, pixels in overflow.items() if pixels > 0} == {}
    with running.center.engine.connect() as connection:
        assert connection.execute(select(schema.alert.c.state).where(schema.alert.c.id == alert)).scalar() == "open"
