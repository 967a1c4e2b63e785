"""A real headless Chromium, and what tests of the console do in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from inspection_contract.client import CenterClient
from inspection_contract.events import Detection, RobotStatus
from inspection_contract.fields import EvidenceReference, Pose, Position
from tests.center.conftest import CHROMIUM
from tests.center.running import PASSWORD, EnrolledRobot, RunningCenter
from tests.center.test_ingest import events
from tests.center.test_keeping import reference
from tests.center.test_pages import incident
from tests.contract.builders import detection

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)
LOCALES = {"en": "en-US", "zh": "zh-CN"}


@contextmanager
def tab(
    browser: Browser, running: RunningCenter, language: str = "en", size: tuple[int, int] = (1280, 720)
) -> Iterator[Page]:
    """A page of its own session; at its end no script has failed and nothing was against the content policy."""
    context = browser.new_context(
        base_url=running.url, locale=LOCALES[language], viewport={"width": size[0], "height": size[1]}
    )
    page = context.new_page()
    faults: list[str] = []
    watch(context, faults)
    yield page
    context.close()
    assert faults == []


def watch(context: BrowserContext, faults: list[str]) -> None:
    """Collect what goes wrong in a context's pages."""

    def look(page: Page) -> None:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
        )

    for page in context.pages:
        look(page)
    context.on("page", look)


def sign_in(page: Page, name: str = "li", place: str = "/") -> None:
    """Sign in with the form and go on with a page."""
    page.goto(f"/login?next={place}")
    page.locator('input[name="name"]').fill(name)
    page.locator('input[name="password"]').fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == urlsplit(place).path)  # not the form that leads there


class Reporter:
    """A robot that reports over the real interface."""

    def __init__(self, running: RunningCenter, name: str = "robot_1") -> None:
        self.robot: EnrolledRobot = running.enrol(name)
        self.client = CenterClient(running.url, self.robot.token)
        self._outbox = uuid4()
        self._sequence = 1

    def status(self, x: float | None = 4.0, y: float = -2.0, **fields: object) -> None:
        """Tell where it is (not at all without x) and how it is."""
        pose = None if x is None else Pose(position=Position(x=x, y=y))
        body = {"stamp": datetime.now(UTC), "ready": True, "battery": 0.8, "pose": pose, **fields}
        self.client.put_status(RobotStatus.model_validate(body))

    def alarm(self, x: float | None = 6.5, y: float = 3.25, **changes: object) -> str:
        """Report a fever with its thermal picture, and the incident it makes; returns the incident's id."""
        shown, data = picture()
        self.client.put_evidence(shown, data)
        found: Detection = detection(evidence=(shown,), pose=None, **changes)
        pose = None if x is None else Pose(position=Position(x=x, y=y))
        case = incident(detections=[found.uuid], pose=pose, kind=found.kind)
        sent = events(self.robot.name, [found, case], first=self._sequence, outbox=self._outbox)
        self._sequence += len(sent)
        self.client.send_events(self.robot.name, self.robot.key, sent)
        return str(case.uuid)


def picture() -> tuple[EvidenceReference, bytes]:
    """A thermal picture: one warm face before a cold wall."""
    y, x = np.mgrid[0:120, 0:160]
    heat = np.clip(60 + 190 * np.exp(-(((x - 80) / 26) ** 2 + ((y - 55) / 34) ** 2)), 0, 255).astype(np.uint8)
    data = cv2.imencode(".png", cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO))[1].tobytes()
    return reference(data), data


def photo(path: Path, text: str) -> Path:
    """A photo as a camera gives it: a JPEG of 12 megapixels."""
    image = np.full((3000, 4000, 3), (150, 110, 60), np.uint8)
    cv2.putText(image, text, (300, 1600), cv2.FONT_HERSHEY_SIMPLEX, 12, (255, 255, 255), 30)
    cv2.imwrite(str(path), image)
    return path


def keep_picture(page: Page, name: str) -> None:
    """Write a screenshot where `$INSPECTION_PICTURES` says (docs/pictures); nothing without it."""
    folder = os.environ.get("INSPECTION_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def layer_png(cells: np.ndarray) -> bytes:  # type: ignore[type-arg]  # (rows, columns) uint8
    """A layer as the bridge sends it."""
    return cv2.imencode(".png", cells)[1].tobytes()
