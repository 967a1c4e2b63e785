from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from inspection_center.plan.layers import layer_picture
from inspection_contract.client import CenterClient
from tests.center.running import RunningCenter


def png(cells: Any, mode: str = "L") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(cells, np.uint8), mode).save(out, "PNG")
    return out.getvalue()


def put(running: RunningCenter, token: str, body: bytes, **place: Any) -> int:
    query = {"resolution": 0.5, "west": -10.0, "south": -5.0, **place}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/png"}
    return httpx.put(f"{running.url}/api/v1/layers/map", content=body, params=query, headers=headers).status_code


@pytest.fixture
def running(running_on_each: RunningCenter) -> RunningCenter:
    """Every test here holds on both databases."""
    return running_on_each


def test_a_layer_is_drawn_with_walls_dark_and_what_is_not_known_clear(running: RunningCenter) -> None:
    robot = running.enrol()
    with CenterClient(running.url, robot.token) as client:
        client.put_layer("map", png([[0, 100], [255, 0]]), 0.5, -10.0, -5.0)
        client.put_layer("radiation", png([[0, 90]]), 1.0, 0.0, 0.0)
    with running.center.engine.connect() as connection:
        free, wall, unknown = (
            Image.open(io.BytesIO(layer_picture(connection, "robot_1", "map"))).getpixel(place)
            for place in ((0, 0), (1, 0), (0, 1))
        )
        calm, hot = (
            Image.open(io.BytesIO(layer_picture(connection, "robot_1", "radiation"))).getpixel(place)
            for place in ((0, 0), (1, 0))
        )
    assert sum(free[:3]) > 600 > sum(wall[:3])
    assert (unknown[3], calm[3]) == (0, 0)
    assert hot[3] > 150


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x89PNG\r\n\x1a\nnothing",
        png([[[1, 2, 3]]], "RGB"),
        png(np.zeros((1, 9000))),
        png(np.random.default_rng(1).integers(0, 100, (50, 50)))[:1000],
    ],
    ids=["empty", "torn", "coloured", "too_wide", "cut_off"],
)
def test_what_is_no_grey_picture_is_refused_and_the_old_one_stays(running: RunningCenter, body: bytes) -> None:
    robot = running.enrol()
    assert put(running, robot.token, png([[0, 100]])) == 204
    assert put(running, robot.token, body) == 422
    with running.center.engine.connect() as connection:
        assert layer_picture(connection, "robot_1", "map")


def test_a_layer_needs_a_place_that_can_be_and_a_robot(running: RunningCenter) -> None:
    robot = running.enrol()
    for place in ({"resolution": 0}, {"west": "nan"}, {"south": 1e9}, {"resolution": "inf"}):
        assert put(running, robot.token, png([[0]]), **place) == 422
    assert put(running, "made_up", png([[0]])) == 401
    assert put(running, running.service_token("supervisor"), png([[0]])) == 403
    assert put(running, robot.token, b"x" * (2**22 + 1)) == 413
