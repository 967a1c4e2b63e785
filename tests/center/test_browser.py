"""The officer's whole path in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from inspection_contract.client import CenterClient
from inspection_contract.events import RobotStatus
from inspection_contract.fields import EvidenceReference, Pose, Position
from tests.center.running import PASSWORD, EnrolledRobot, RunningCenter
from tests.center.test_ingest import events
from tests.center.test_keeping import reference
from tests.center.test_pages import incident
from tests.contract.builders import detection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, running: RunningCenter, tmp_path: Path) -> Iterator[Page]:
    running.add_account("li", "officer")
    context = browser.new_context(base_url=running.url, locale="en-US", viewport={"width": 1280, "height": 720})
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on(
        "console",
        lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield tab
    context.close()
    assert faults == []


@pytest.fixture
def robot(running: RunningCenter) -> Iterator[CenterClient]:
    enrolled = running.enrol()
    with CenterClient(running.url, enrolled.token) as client:
        client.enrolled = enrolled  # type: ignore[attr-defined]  # for `report`
        position = Position(x=20.0, y=12.0)
        client.put_status(RobotStatus(stamp=datetime.now(UTC), ready=True, pose=Pose(position=position), battery=0.8))
        yield client


def picture() -> tuple[EvidenceReference, bytes]:
    heat = cv2.applyColorMap(np.tile(np.arange(160, dtype=np.uint8), (120, 1)), cv2.COLORMAP_INFERNO)
    data = cv2.imencode(".png", heat)[1].tobytes()
    return reference(data), data


def report_alarm(client: CenterClient) -> str:
    robot: EnrolledRobot = client.enrolled  # type: ignore[attr-defined]  # set by the fixture
    shown, data = picture()
    client.put_evidence(shown, data)
    found = detection(evidence=(shown,))
    case = incident(detections=[found.uuid], pose=Pose(position=Position(x=12.5, y=3.25)))
    client.send_events(robot.name, robot.key, events(robot.name, [found, case], outbox=uuid4()))
    return str(case.uuid)


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Account").fill("li")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()


def test_an_alarm_appears_by_itself_and_is_decided_with_its_evidence(page: Page, robot: CenterClient) -> None:
    sign_in(page)
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    expect(page.get_by_text("No alert is waiting.")).to_be_visible()
    identity = report_alarm(robot)
    item = page.locator(f"#alert-{identity}")
    expect(item).to_be_visible()
    expect(page.locator("#alarm")).to_have_text("Raised body temperature")
    expect(page.locator("#map .mark.alarm")).to_be_visible()
    expect(page.locator("#map .mark.robot")).to_be_visible()
    item.get_by_role("button", name="Claim").click()
    expect(item).to_contain_text("claimed · li")
    item.get_by_role("link", name="Open").click()
    expect(page.get_by_text("38.40 ± 0.21 °C")).to_be_visible()
    image = page.locator(".finding img").first
    expect(image).to_be_visible()
    assert image.evaluate("image => image.complete && image.naturalWidth") == 160
    page.get_by_label("Reason").fill("clear picture")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Decided by li: clear picture")).to_be_visible()
    page.get_by_role("button", name="Send robot_1 to the place").click()
    expect(page.get_by_role("cell", name="Go to a place")).to_be_visible()
    page.goto(f"/alerts/{identity}")
    page.get_by_role("button", name="File the case").click()
    expect(page.locator(".timeline")).to_contain_text("Case filed")


def test_the_queue_is_worked_by_keyboard_alone(page: Page, robot: CenterClient) -> None:
    first, second = report_alarm(robot), report_alarm(robot)
    sign_in(page)
    page.keyboard.press("j")
    expect(page.locator(f"#alert-{first}")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#alert-{second}")).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator(f"#alert-{second}")).to_contain_text("claimed · li")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decision")).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("reflection of the sun")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided by li: reflection of the sun")).to_be_visible()


def test_a_finding_is_on_the_live_page_as_soon_as_it_is_stored(page: Page, robot: CenterClient) -> None:
    sign_in(page)
    page.goto("/findings")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    report_alarm(robot)
    row = page.locator("#findings tr").first
    expect(row).to_contain_text("38.40 ± 0.21 °C")
    expect(row.locator("img")).to_be_visible()
    page.goto("/language/zh")
    page.goto("/findings")
    expect(page.get_by_text("体温偏高").first).to_be_visible()


def test_text_of_a_robot_stays_text(page: Page, robot: CenterClient) -> None:
    enrolled: EnrolledRobot = robot.enrolled  # type: ignore[attr-defined]  # set by the fixture
    sign_in(page)
    page.goto("/findings")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    attack = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    robot.send_events(enrolled.name, enrolled.key, events(enrolled.name, [detection(subject=attack)], outbox=uuid4()))
    expect(page.locator("#findings")).to_contain_text("<img src=x")
    assert page.title() != "broken"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_pages_fit_a_desk_and_a_handheld(page: Page, robot: CenterClient, width: int, height: int) -> None:
    report_alarm(robot)
    page.set_viewport_size({"width": width, "height": height})
    sign_in(page)
    overflow = {}
    for place in ("/", "/findings", "/robots", "/robots/robot_1", "/orders", "/statistics"):
        page.goto(place)
        expect(page.locator("main")).to_be_visible()
        overflow[place] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert {place: pixels for place, pixels in overflow.items() if pixels > 0} == {}
