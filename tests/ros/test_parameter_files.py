from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.ros.parameter_files import Given, Section, check, given, load
from inspection_robot.ros.parameters import parameter


@dataclass(frozen=True)
class Thermal:
    rate_hz: float = parameter(9.0, "Frames a second", minimum=0.1, maximum=60.0)


@dataclass(frozen=True)
class Odor:
    board: str = parameter("sgp41", "Board type", choices=["sgp41", "bme688"])


NODES: dict[str, type] = {"/robot1/thermal": Thermal, "/robot1/odor": Odor}


def write(folder: Path, text: str, name: str = "thermal.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    sections = load(path)
    return [error.fault for error in check({name: Given(described, sections) for name, described in NODES.items()})]


@pytest.mark.parametrize(
    ("pattern", "node", "matches"),
    [
        ("/**", "/robot1/thermal", True),
        ("/**/thermal", "/thermal", True),
        ("/**/thermal", "/fleet/robot1/thermal", True),
        ("/**/thermal", "/robot1/thermal2", False),
        ("/*/thermal", "/robot1/thermal", True),
        ("/*/thermal", "/thermal", False),
        ("/robot1/thermal", "/robot1/thermal", True),
        ("/thermal", "/robot1/thermal", False),
    ],
)
def test_sections_match_names_as_rcl_does(pattern: str, node: str, matches: bool) -> None:
    assert Section(Path("x"), pattern, {}).matches(node) is matches


def test_a_good_file_has_no_faults(tmp_path: Path) -> None:
    path = write(tmp_path, "/**/thermal:\n  ros__parameters:\n    rate_hz: 5\n    use_sim_time: true\n")
    assert faults(path) == []


def test_nested_namespaces_name_the_node(tmp_path: Path) -> None:
    path = write(tmp_path, "robot1:\n  thermal:\n    ros__parameters:\n      rate_hz: 500.0\n")
    assert faults(path) == ["robot1/thermal: rate_hz: 500 is out of range: 0.1 … 60"]


def test_unknown_parameters_name_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "/**/thermal:\n  ros__parameters:\n    rate: 5\n")
    assert faults(path) == ["/**/thermal: rate: no such parameter; did you mean rate_hz?"]


def test_parameters_for_all_nodes_are_wrong_only_when_no_node_has_them(tmp_path: Path) -> None:
    path = write(tmp_path, "/**:\n  ros__parameters:\n    rate_hz: 5\n    bord: x\n")
    assert faults(path) == ["/**: bord: no such parameter; did you mean board?"]


def test_sections_of_other_robots_are_left_alone(tmp_path: Path) -> None:
    assert faults(write(tmp_path, "/robot2/thermal:\n  ros__parameters:\n    rate_hz: 900\n")) == []


def test_the_last_file_wins(tmp_path: Path) -> None:
    first = write(tmp_path, "/**/thermal:\n  ros__parameters:\n    rate_hz: 5\n", "a.yaml")
    second = write(tmp_path, "/**:\n  ros__parameters:\n    rate_hz: 6\n", "b.yaml")
    value, section = given([*load(first), *load(second)], "/robot1/thermal")["rate_hz"]
    assert (value, section.path) == (6, second)


def test_each_node_reads_its_files_in_its_own_order(tmp_path: Path) -> None:
    own = load(write(tmp_path, "/**/thermal:\n  ros__parameters:\n    rate_hz: 5\n", "thermal.yaml"))
    above = load(write(tmp_path, "/**:\n  ros__parameters:\n    rate_hz: 900\n", "robot.yaml"))
    nodes = {"/robot1/odor": Given(Odor, above), "/robot1/thermal": Given(Thermal, [*own, *above])}
    assert [error.fault for error in check(nodes)] == ["robot1/thermal: rate_hz: 900 is out of range: 0.1 … 60"]
    nodes["/robot1/thermal"] = Given(Thermal, [*above, *own])
    assert check(nodes) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("/**/thermal: [1, 2]\n", "/**/thermal is not a mapping of node names to ros__parameters"),
        ("- 1\n", "the file is not a mapping of node names to ros__parameters"),
        ("/**/thermal:\n  ros__parameters: 3\n", "/**/thermal: ros__parameters is not a mapping"),
        ("/**/thermal:\n  ros__parameters:\n    a: 1\n    a: 2\n", "line 4: 'a' is given twice"),
        ("/**/thermal: {\n", "line 2: expected the node content, but found '<stream end>'"),
    ],
)
def test_broken_files_are_named_with_the_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    assert (caught.value.name, caught.value.fault) == (str(path), fault)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: No such file or directory"):
        load(tmp_path / "gone.yaml")


@for_all(st.binary(max_size=200))
def test_any_bytes_give_sections_or_one_input_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x.yaml"
    path.write_bytes(data)
    try:
        sections = load(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(section, Section) for section in sections)
