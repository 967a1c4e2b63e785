from __future__ import annotations

import cv2
import numpy as np

from inspection_contract.commands import LiveViewRequest
from inspection_robot.bridge.live import LiveRequests, to_jpeg


def ask(**changes: object) -> LiveViewRequest:
    return LiveViewRequest.model_validate(
        {"camera": "thermal", "enable": True, "rate_hz": 2.0, "duration_s": 60.0, **changes}
    )


def test_nothing_is_shown_that_nobody_asked_for() -> None:
    live = LiveRequests()
    assert live.wanted(0.0) == set()
    assert not live.due("thermal", 0.0)


def test_pictures_come_at_the_rate_asked_for_and_end_by_themselves() -> None:
    live = LiveRequests()
    live.ask(ask(), 100.0)
    shown = [time for time in np.arange(100.0, 170.0, 0.111) if live.due("thermal", float(time))]
    assert 118 <= len(shown) <= 120
    assert max(shown) < 160.0
    assert live.wanted(161.0) == set()


def test_a_request_can_be_taken_back() -> None:
    live = LiveRequests()
    live.ask(ask(), 0.0)
    live.ask(ask(enable=False), 1.0)
    assert not live.due("thermal", 1.0)


def test_large_pictures_are_made_smaller_and_keep_their_shape() -> None:
    data = to_jpeg(np.full((1080, 1920, 3), 90, np.uint8))
    assert data.startswith(b"\xff\xd8\xff")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (360, 640, 3)
