from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.patrol.routes import GRACE, Routes, load

GOOD = """
routes:
  hall:
    waypoints:
      - {name: a, x: 1, y: 2, yaw_deg: 90, dwell_s: 3, look_around: true}
      - {name: b, x: 4, y: 5}
docks:
  west: {x: -10, y: 0}
  east: {x: 10, y: 0, purposes: [charge, calibrate]}
schedule:
  - {route: hall, from: "06:00", until: "08:00", every_min: 30, rounds: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "routes.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def routes(folder: Path, text: str = GOOD) -> Routes:
    return load(write(folder, text))


def test_our_own_routes_can_be_read() -> None:
    found = load(share() / "config" / "routes.yaml")
    assert found.routes and found.nearest_dock(0, 0, "charge") is not None


def test_a_route_is_read_with_its_defaults(tmp_path: Path) -> None:
    first, second = routes(tmp_path).routes["hall"].waypoints
    assert (first.name, first.dwell_s, first.look_around) == ("a", 3.0, True)
    assert (second.yaw, second.dwell_s, second.look_around) == (0.0, 0.0, False)
    assert first.yaw == pytest.approx(1.5708, abs=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("x: 1,", "x: far,", "routes.hall.waypoints.0.x: Input should be a valid number"),
        ("x: 1,", "x: .nan,", "routes.hall.waypoints.0.x: Input should be a finite number"),
        ("dwell_s: 3", "dwel_s: 3", "routes.hall.waypoints.0.dwel_s: Extra inputs are not permitted"),
        ("route: hall", "route: hal", "schedule names route 'hal'; there are hall"),
        ("every_min: 30", "every_min: 0", "schedule.0.every_min: Input should be greater than or equal to 1"),
        ("purposes: [charge, calibrate]", "purposes: [sleep]", "docks.east.purposes.0: Input should be 'charge'"),
        ("waypoints:", "waypoints: {", "is not YAML"),
    ],
)
def test_a_mistake_is_named_by_its_entry(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        routes(tmp_path, GOOD.replace(old, new, 1))
    assert fault in caught.value.fault and caught.value.name.endswith("routes.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "gone.yaml")


@given(st.text(max_size=80))
def test_any_text_is_routes_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("routes") / "x.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        load(path)
    except InputError as error:
        assert "\n" not in str(error)


def test_the_nearest_dock_fits_the_purpose(tmp_path: Path) -> None:
    found = routes(tmp_path)
    assert found.nearest_dock(-9, 0, "charge") == "west"
    assert found.nearest_dock(-9, 0, "calibrate") == "east"
    assert Routes().nearest_dock(0, 0, "") is None


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("05:59", False), ("06:00", True), ("06:09", True), ("06:11", False), ("06:30", True), ("08:00", True),
        ("08:11", False), ("23:00", False),
    ],
)  # fmt: skip
def test_a_patrol_is_due_at_its_times_and_not_long_after(tmp_path: Path, at: str, due: bool) -> None:
    now = datetime.fromisoformat(f"2026-03-02T{at}:30")
    assert (routes(tmp_path).due(now, {}) == 0) is due


def test_a_patrol_starts_once_for_each_time(tmp_path: Path) -> None:
    found = routes(tmp_path)
    started: dict[int, datetime] = {}
    starts = []
    now = datetime.fromisoformat("2026-03-02T05:00:00")
    for _ in range(5 * 60):
        index = found.due(now, started)
        if index is not None:
            started[index] = found.schedule[index].slot(now)
            starts.append(now.strftime("%H:%M"))
        now += timedelta(minutes=1)
    assert starts == ["06:00", "06:30", "07:00", "07:30", "08:00"]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(1, 1440))
def test_hours_may_run_past_midnight(now: datetime, every: int) -> None:
    found = Routes.model_validate(
        {"routes": {"r": {"waypoints": [{"name": "a", "x": 0, "y": 0}]}},
         "schedule": [{"route": "r", "from": "22:00", "until": "04:00", "every_min": every}]}
    )  # fmt: skip
    slot = found.schedule[0].slot(now)
    assert timedelta() <= now - slot < timedelta(days=1)
    assert slot.hour >= 22 or slot.hour < 4 or (slot.hour, slot.minute) == (4, 0)
    assert (found.due(now, {}) == 0) is (now - slot <= GRACE)
