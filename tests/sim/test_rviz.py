from __future__ import annotations

from typing import Any

import pytest
import yaml

from inspection_sim.simulation import SIMULATION_FILES
from tests.sim.topics import ROBOT, SIMULATOR, interactive_markers, used

FILES = sorted((SIMULATION_FILES / "rviz").glob("*.rviz"))
TYPES = {
    "Map": "OccupancyGrid", "LaserScan": "LaserScan", "MarkerArray": "MarkerArray", "Path": "Path", "Image": "Image",
    "Odometry": "Odometry", "PoseWithCovariance": "PoseWithCovarianceStamped", "RobotModel": "String",
}  # fmt: skip
"""RViz display → message type it shows."""
WITHOUT_TOPIC = {"Grid", "TF", "InteractiveMarkers"}
TOOLS = {"Interact", "MoveCamera", "Select", "Measure", "SetInitialPose", "SetGoal"}
PANELS = {"Displays", "Views", "Time", "Selection"}
PLUGINS = "rviz_default_plugins/"


def manager(path: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content["Visualization Manager"]  # type: ignore[no-any-return]


def test_there_is_one_file_a_role() -> None:
    assert [path.stem for path in FILES] == ["developer", "operator"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_class_is_a_known_plugin(path: Any) -> None:
    for display in manager(path)["Displays"]:
        assert display["Class"].removeprefix(PLUGINS) in TYPES.keys() | WITHOUT_TOPIC
    for tool in manager(path)["Tools"]:
        assert tool["Class"].removeprefix(PLUGINS) in TOOLS
    assert {
        panel["Class"].removeprefix("rviz_common/") for panel in yaml.safe_load(path.read_text())["Panels"]
    } <= PANELS


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_display_shows_a_topic_that_a_node_publishes_with_that_type(path: Any) -> None:
    published = used([*ROBOT, *SIMULATOR], "create_publisher")
    for display in manager(path)["Displays"]:
        kind = display["Class"].removeprefix(PLUGINS)
        if kind in WITHOUT_TOPIC:
            continue
        topic = display.get("Topic", display.get("Description Topic"))["Value"]
        assert TYPES[kind] in published.get(topic, set()), (
            f"{display['Name']}: nobody publishes {TYPES[kind]} on {topic}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_sensor_displays_accept_best_effort(path: Any) -> None:
    for display in manager(path)["Displays"]:
        topic = display.get("Topic", {})
        if topic.get("Value") in ("scan", "odom", "camera/image_raw", "thermal/image_raw", "thermal/overlay"):
            assert topic["Reliability Policy"] == "Best Effort"


def test_goals_of_the_tools_are_taken_by_somebody() -> None:
    taken = used([*ROBOT, *SIMULATOR], "create_subscription")
    for path in FILES:
        for tool in manager(path)["Tools"]:
            if "Topic" in tool:
                assert tool["Topic"]["Value"] in taken


def test_the_operator_can_drive_stop_and_decide() -> None:
    served = interactive_markers(ROBOT)
    shown = {
        d["Interactive Markers Namespace"]
        for d in manager(FILES[1])["Displays"]
        if d["Class"].endswith("InteractiveMarkers")
    }
    assert shown == {"operator", "incidents/menu"}
    assert shown <= served
