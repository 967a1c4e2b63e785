from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.recording.definitions import from_share, full_definition, parts_of
from inspection_robot.recording.mcap_file import McapFile, messages, summarise
from inspection_robot.recording.topics import is_sensor, moved, namespace_of

TEXTS = {
    (
        "a",
        "Outer",
    ): "# an outer thing\na/Inner[] inners\nb/Other other  # [m]\nstring<=5 name\nuint8 RED=1\nfloat64[9] k\n",
    ("a", "Inner"): "Deep deep\nint32 value 7\n",
    ("a", "Deep"): "bool yes\n",
    ("b", "Other"): "a/Deep deep\n",
}


def read(package: str, name: str) -> str:
    return TEXTS[(package, name)]


def test_a_definition_holds_every_part_once() -> None:
    text = full_definition("a/msg/Outer", read)
    assert text.startswith("# an outer thing")
    assert [line for line in text.splitlines() if line.startswith("MSG: ")] == [
        "MSG: a/Inner",
        "MSG: b/Other",
        "MSG: a/Deep",
    ]


def test_primitives_and_constants_are_no_parts() -> None:
    assert parts_of("uint8 RED=1\nstring<=5 name\nfloat64[<=9] k\nstd_msgs/Header header\n", "a") == [
        ("std_msgs", "Header")
    ]


def test_a_missing_definition_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a/msg/Outer"):
        full_definition("a/msg/Outer", from_share([tmp_path]))
    with pytest.raises(InputError, match="package/msg/Name"):
        full_definition("Outer", read)


def record(path: Path) -> None:
    with McapFile(path) as file:
        for topic in ("/robot_1/scan", "/robot_1/detections", "/clock"):
            file.add_topic(topic, "std_msgs/msg/String", "string data\n")
        for number in range(10):
            file.write("/robot_1/scan", 1_000_000_000 + number * 100_000_000, bytes([number]))
            file.write("/clock", 1_000_000_001 + number * 100_000_000, b"c")
        file.write("/robot_1/detections", 1_500_000_000, b"found")


def test_what_is_recorded_comes_back_in_order(tmp_path: Path) -> None:
    record(tmp_path / "run.mcap")
    topics, length_s = summarise(tmp_path / "run.mcap")
    assert {(t.topic, t.type, t.messages) for t in topics} == {
        ("/robot_1/scan", "std_msgs/msg/String", 10), ("/clock", "std_msgs/msg/String", 10),
        ("/robot_1/detections", "std_msgs/msg/String", 1),
    }  # fmt: skip
    assert length_s == pytest.approx(0.9, abs=0.001)
    played = list(messages(tmp_path / "run.mcap", ["/robot_1/scan", "/clock"]))
    assert [m.data for m in played if m.topic == "/robot_1/scan"] == [bytes([n]) for n in range(10)]
    assert [m.time_ns for m in played] == sorted(m.time_ns for m in played)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    record(tmp_path / "run.mcap")
    with pytest.raises(InputError, match="cannot be created"):
        McapFile(tmp_path / "run.mcap")


@pytest.mark.parametrize("cut", [0, 4, 100, -40, -8])
def test_a_cut_or_empty_file_is_an_input_error(tmp_path: Path, cut: int) -> None:
    record(tmp_path / "run.mcap")
    data = (tmp_path / "run.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[:cut])
    with pytest.raises(InputError):
        summarise(tmp_path / "cut.mcap")


@given(st.binary(max_size=300))
def test_other_bytes_are_an_input_error(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".mcap") as file:
        file.write(data)
        file.flush()
        with pytest.raises(InputError):
            summarise(Path(file.name))


def test_only_sensors_are_played_back_and_in_the_namespace_asked_for() -> None:
    topics = ["/robot_1/scan", "/robot_1/thermal/image_raw", "/robot_1/detections", "/clock", "/robot_1/tf"]
    assert namespace_of(topics) == "robot_1"
    assert [t for t in topics if is_sensor(t, "robot_1")] == [
        "/robot_1/scan",
        "/robot_1/thermal/image_raw",
        "/clock",
        "/robot_1/tf",
    ]
    assert moved("/robot_1/scan", "robot_1", "robot_2") == "/robot_2/scan"
    assert moved("/robot_1/scan", "robot_1", "") == "/scan"
    assert moved("/clock", "robot_1", "robot_2") == "/clock"
    assert namespace_of(["/scan"]) == ""
    assert is_sensor("/scan", "")
