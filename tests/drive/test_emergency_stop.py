from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.drive.emergency_stop import EmergencyStop


def test_a_robot_that_was_never_stopped_may_drive(tmp_path: Path) -> None:
    assert not EmergencyStop(tmp_path / "drive" / "stop.json").lock.stopped


def test_the_lock_survives_restarts_until_somebody_releases_it(tmp_path: Path) -> None:
    path = tmp_path / "stop.json"
    EmergencyStop(path).set("officer 7", "child on the floor", "2026-01-01T00:00:00Z")
    again = EmergencyStop(path)
    assert (again.lock.stopped, again.lock.actor, again.lock.reason) == (True, "officer 7", "child on the floor")
    again.release("officer 8", "clear", "2026-01-01T00:01:00Z")
    assert not EmergencyStop(path).lock.stopped


def test_the_first_stop_is_kept(tmp_path: Path) -> None:
    stop = EmergencyStop(tmp_path / "stop.json")
    stop.set("button", "pressed", "1")
    stop.set("officer", "also", "2")
    assert EmergencyStop(tmp_path / "stop.json").lock.actor == "button"


@pytest.mark.parametrize("actor", ["", "  "])
def test_nobody_in_particular_cannot_release(tmp_path: Path, actor: str) -> None:
    stop = EmergencyStop(tmp_path / "stop.json")
    stop.set("button", "pressed", "1")
    with pytest.raises(ValueError, match="needs the name"):
        stop.release(actor, "", "2")
    assert stop.lock.stopped and EmergencyStop(tmp_path / "stop.json").lock.stopped


def test_a_lock_that_cannot_be_written_is_set_all_the_same(tmp_path: Path) -> None:
    stop = EmergencyStop(tmp_path / "stop.json")
    (tmp_path / "stop.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        stop.set("button", "pressed", "1")
    assert stop.lock.stopped
    with pytest.raises(OSError, match="directory"):
        stop.release("officer", "", "2")
    assert stop.lock.stopped


@given(st.binary(max_size=60))
def test_whatever_the_file_holds_only_a_clear_false_is_free(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("stop") / "stop.json"
    path.write_bytes(data)
    assert EmergencyStop(path).lock.stopped
