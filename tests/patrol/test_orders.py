from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.patrol.orders import OrderBook, OrderRefused, errand
from inspection_robot.patrol.routes import Dock, Routes, Waypoint

ROUTES = Routes.model_validate({"routes": {"hall": {"waypoints": [{"name": "gate", "x": 1, "y": 2, "dwell_s": 9}]}}})
DOCK = Dock(x=-5, y=0)


def test_a_patrol_order_drives_the_route_of_that_name() -> None:
    todo = errand("patrol", "hall", None, ROUTES, DOCK)
    assert (todo.name, todo.route, todo.rounds, todo.charge) == ("hall", ROUTES.routes["hall"], 1, True)


def test_a_dispatch_goes_to_its_pose_or_to_the_named_place_without_dwelling() -> None:
    (stop,) = errand("dispatch", "", Waypoint(name="p", x=7, y=8, yaw_deg=90), ROUTES, None).route.waypoints
    assert (stop.x, stop.y, stop.yaw_deg) == (7, 8, 90)
    (stop,) = errand("dispatch", "gate", None, ROUTES, None).route.waypoints
    assert (stop.x, stop.y, stop.dwell_s) == (1, 2, 0)


def test_returning_to_the_dock_is_a_route_of_one_waypoint() -> None:
    (stop,) = errand("return_to_dock", "", None, ROUTES, DOCK).route.waypoints
    assert (stop.x, stop.y) == (-5, 0)


@pytest.mark.parametrize(
    ("kind", "name", "fault"),
    [
        ("patrol", "attic", "no route 'attic'; there are hall"),
        ("dispatch", "attic", "no place 'attic'"),
        ("return_to_dock", "", "no dock is known"),
        ("inspection", "", "not for the patrol node"),
    ],
)
def test_an_order_for_what_is_not_known_is_refused_with_the_reason(kind: str, name: str, fault: str) -> None:
    with pytest.raises(OrderRefused, match=fault):
        errand(kind, name, None, ROUTES, None)


def test_an_order_is_carried_out_once_and_a_newer_revision_again(tmp_path: Path) -> None:
    path = tmp_path / "patrol" / "orders.json"
    book = OrderBook(path)
    assert book.is_new("a", 1)
    book.ended("a", 1)
    again = OrderBook(path)
    assert not again.is_new("a", 1) and not again.is_new("a", 0)
    assert again.is_new("a", 2) and again.is_new("b", 0)


def test_old_orders_are_forgotten_in_the_end(tmp_path: Path) -> None:
    book = OrderBook(tmp_path / "orders.json")
    for number in range(520):
        book.ended(f"order {number}", 1)
    assert book.is_new("order 0", 1) and not book.is_new("order 519", 1)


@given(st.binary(max_size=60))
def test_a_damaged_book_is_begun_anew(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("book") / "orders.json"
    path.write_bytes(data)
    book = OrderBook(path)
    book.ended("a", 1)
    assert not OrderBook(path).is_new("a", 1)
