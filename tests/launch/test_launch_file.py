from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.launcher.launch_file import read
from inspection_robot.launcher.plan import NodeProcess, PlainProcess, Plan
from inspection_robot.launcher.up_command import PROFILES


def find_share(package: str) -> Path:
    if package != "inspection_robot":
        raise LookupError(package)
    return Path("/share")


def write(folder: Path, body: str, name: str = "x.launch.xml") -> Path:
    path = folder / name
    path.write_text(f"<launch>{body}</launch>", encoding="utf-8")
    return path


def plan(folder: Path, body: str, **given_values: str) -> Plan:
    return read(write(folder, body), given_values, find_share)


def node(folder: Path, body: str, **given_values: str) -> NodeProcess:
    found = plan(folder, body, **given_values).processes[0]
    assert isinstance(found, NodeProcess)
    return found


def test_a_node_becomes_the_command_line_that_launch_ros_makes(tmp_path: Path) -> None:
    found = node(
        tmp_path,
        '<arg name="level" default="warn"/>'
        '<node pkg="p" exec="e" name="n" namespace="r" respawn="true" respawn_delay="2"'
        ' args="--own x" ros_args="--log-level $(var level)"><param from="$(find-pkg-share inspection_robot)/a.yaml"/>'
        '<param name="rate" value="5"/><remap from="/tf" to="tf"/><env name="A" value="b"/></node>',
    )
    assert found.command(Path("/bin/e")) == [
        "/bin/e", "--own", "x", "--ros-args", "-r", "__node:=n", "-r", "__ns:=/r",
        "--params-file", "/share/a.yaml", "-p", "rate:=5", "-r", "/tf:=tf", "--log-level", "warn",
    ]  # fmt: skip
    assert (found.respawn, found.respawn_delay_s, found.environment["A"]) == (True, 2.0, "b")


def test_groups_keep_namespace_variables_and_environment_to_themselves(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        '<let name="x" value="outer"/><group><push_ros_namespace namespace="a"/><push_ros_namespace namespace="b"/>'
        '<set_env name="E" value="1"/><let name="x" value="inner"/><node pkg="p" exec="$(var x)"/></group>'
        '<node pkg="p" exec="$(var x)"/>',
    ).processes
    assert [getattr(process, "full_name", "") for process in found] == ["/a/b/inner", "/outer"]
    assert [process.environment for process in found] == [{"E": "1"}, {}]


def test_given_arguments_win_over_defaults(tmp_path: Path) -> None:
    body = '<arg name="namespace" default="r1"/><node pkg="p" exec="e" namespace="$(var namespace)"/>'
    assert node(tmp_path, body).namespace == "/r1"
    assert node(tmp_path, body, namespace="r2").namespace == "/r2"


def test_conditions_leave_elements_out(tmp_path: Path) -> None:
    body = (
        '<arg name="odor" default="true"/><node pkg="p" exec="odor" if="$(var odor)"/>'
        '<node pkg="p" exec="other" unless="$(var odor)"/>'
    )
    assert node(tmp_path, body).executable == "odor"
    assert node(tmp_path, body, odor="false").executable == "other"


def test_included_files_see_variables_and_their_own_arguments_are_not_for_the_caller(tmp_path: Path) -> None:
    write(tmp_path, '<arg name="node"/><node pkg="p" exec="$(var node)" namespace="$(var ns)"/>', "inner.launch.xml")
    body = '<arg name="ns" default="r"/>' + "".join(
        f'<include file="$(dirname)/inner.launch.xml"><arg name="node" value="{name}"/></include>' for name in "ab"
    )
    found = plan(tmp_path, body)
    assert [getattr(process, "full_name", "") for process in found.processes] == ["/r/a", "/r/b"]
    assert [argument.name for argument in found.arguments] == ["ns"]


def test_other_programs_are_split_like_a_shell_does(tmp_path: Path) -> None:
    found = plan(tmp_path, "<executable cmd=\"echo 'a b' c\"/>").processes[0]
    assert isinstance(found, PlainProcess) and found.words == ("echo", "a b", "c") and found.name == "echo"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<composable_node pkg="p"/>', "x.launch.xml:1: <composable_node> is not supported here"),
        ('<node pkg="p" exec="e" launch-prefix="gdb"/>', ":1: attribute launch-prefix of <node> is not supported"),
        ('<node pkg="p"/>', ":1: attribute exec is missing"),
        ('<node pkg="p" exec="$(var x)"/>', ":1: var x has no value"),
        ('<arg name="x"/>', ":1: argument x has no value: give x:=…"),
        ('<let name="a" value="$(eval 1+1)"/>', ":1: $(eval …) is not supported"),
        ('<let name="a" value="$(find-pkg-share nav2)"/>', ":1: package nav2 is not installed"),
        ('<node pkg="p" exec="e" respawn="maybe"/>', ":1: 'maybe' is neither true nor false"),
        ('<node pkg="p" exec="e" respawn_delay="soon"/>', ":1: 'soon' is not a number of seconds"),
        ('<node pkg="p" exec="e"/><node pkg="p" exec="e"/>', "starts /e twice"),
        ('<executable cmd="echo \'a"/>', ":1: cannot split"),
        ('<include file="$(dirname)/x.launch.xml"/>', "includes itself"),
        ('<include file="/nowhere.xml"/>', "/nowhere.xml: No such file or directory"),
        ('<node pkg="p" exec="e"', "is not XML"),
    ],
)
def test_what_is_not_understood_is_named_with_file_and_line(tmp_path: Path, body: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, body)
    assert fault in str(caught.value)


def test_an_argument_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no argument namespce; there are namespace"):
        plan(tmp_path, '<arg name="namespace" default="x"/>', namespce="y")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    path = tmp_path / "x.launch.xml"
    path.write_text('<!DOCTYPE l [<!ENTITY a SYSTEM "/etc/passwd">]><launch><let name="a" value="b"/>&a;</launch>')
    with pytest.raises(InputError):
        read(path, {}, find_share)


@given(st.text(max_size=60))
def test_any_text_is_a_plan_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("text") / "x.launch.xml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read(path, {}, find_share)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", sorted(PROFILES.values()))
def test_the_launch_file_of_every_profile_can_be_read(name: str) -> None:
    found = read(share() / "launch" / name, {"namespace": "r"}, lambda _: share())
    names = [process.full_name for process in found.processes if isinstance(process, NodeProcess)]
    assert {"/r/health", "/r/bridge", "/r/drive"} <= set(names)
    for process in found.processes:
        if isinstance(process, NodeProcess):
            for file in process.parameters:
                assert not isinstance(file, Path) or file.is_file(), f"{process.where}: {file} does not exist"
