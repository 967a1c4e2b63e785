from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

ROUTES = """
routes:
  hall:
    waypoints:
      - {name: a, x: 1, y: 0}
      - {name: b, x: 2, y: 0}
docks:
  main: {x: -5, y: 0}
"""


class Nav2:
    """A NavigateToPose server that behaves as told: arrive, reject, abort, or hold on to a goal."""

    def __init__(self, graph: Any) -> None:
        from nav2_msgs.action import NavigateToPose
        from rclpy.action import GoalResponse

        from inspection_robot.ros.action_server import ThreadedActionServer

        self.behaviour: dict[float, str] = {}
        self.goals: list[float] = []
        self.cancelled = 0
        self._result = NavigateToPose.Result

        def judge(goal: Any) -> Any:
            self.goals.append(goal.pose.pose.position.x)
            rejected = self.behaviour.get(self.goals[-1]) == "reject"
            return GoalResponse.REJECT if rejected else GoalResponse.ACCEPT

        self.server = ThreadedActionServer(
            graph.probe,
            NavigateToPose,
            "navigate_to_pose",
            self.execute,
            lambda _: None,
            lambda: None,
            goal_callback=judge,
        )
        self.server.open()

    def execute(self, goal: Any) -> Any:
        behaviour = self.behaviour.get(goal.request.pose.pose.position.x, "arrive")
        while behaviour == "hold" and not goal.wait(0.02):
            pass
        if goal.is_cancel_requested:
            self.cancelled += 1
            goal.canceled()
        elif behaviour == "abort":
            goal.abort()
            return self._result(error_code=208)
        else:
            goal.succeed()
        return self._result()


@pytest.fixture
def nav2(ros_graph: Any) -> Iterator[Nav2]:
    made = Nav2(ros_graph)
    yield made
    made.server.destroy()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return {
        "routes_file": str(path), "progress_file": str(tmp_path / "patrol" / "progress.json"), "attempts": 1,
        "pause_s": 0.0, "resume_after_s": 0.0, "count_s": 0.2,
    }  # fmt: skip


@pytest.fixture
def patrol(ros_graph: Any, nav2: Nav2, settings: dict[str, Any]) -> Any:
    from inspection_robot.patrol.node import PatrolNode

    node = ros_graph.make(PatrolNode, overrides=settings)
    ros_graph.activate(node)
    return node


class Caller:
    """Sends goals to the patrol node."""

    def __init__(self, graph: Any) -> None:
        from inspection_interfaces.action import Dock, Patrol
        from inspection_interfaces.msg import PatrolState
        from rclpy.action import ActionClient

        from inspection_robot.ros import qos

        self.graph = graph
        self.types = {"patrol": Patrol, "dock": Dock}
        self.clients = {name: ActionClient(graph.probe, kind, name) for name, kind in self.types.items()}
        self.states = graph.record(PatrolState, "patrol/state", qos.STATE)

    def send(self, action: str, **fields: Any) -> Any:
        client = self.clients[action]
        self.graph.spin_until(client.server_is_ready)
        sent = client.send_goal_async(self.types[action].Goal(**fields))
        self.graph.spin_until(sent.done)
        return sent.result()

    def result(self, handle: Any) -> Any:
        future = handle.get_result_async()
        self.graph.spin_until(future.done)
        return future.result()

    def close(self) -> None:
        for client in self.clients.values():
            client.destroy()


@pytest.fixture
def caller(ros_graph: Any, patrol: Any) -> Iterator[Caller]:
    made = Caller(ros_graph)
    yield made
    made.close()


def test_a_patrol_drives_its_route(caller: Caller, nav2: Nav2) -> None:
    from action_msgs.msg import GoalStatus

    answer = caller.result(caller.send("patrol", route="hall", rounds=2))
    assert nav2.goals == [1, 2, 1, 2]
    assert (answer.status, answer.result.state, answer.result.rounds_done) == (GoalStatus.STATUS_SUCCEEDED, "done", 2)


def test_what_navigation_rejects_or_aborts_is_skipped_and_told(caller: Caller, nav2: Nav2, ros_graph: Any) -> None:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    nav2.behaviour = {1: "abort"}
    assert caller.result(caller.send("patrol", route="hall", rounds=1)).result.state == "done"
    ros_graph.spin_until(lambda: [fault.code for fault in faults if fault.active] == ["patrol.skipped_a"])
    assert "error code 208" in faults[0].text
    nav2.behaviour = {1: "reject", 2: "reject"}
    answer = caller.result(caller.send("patrol", route="hall", rounds=1))
    assert answer.result.state == "failed"
    assert answer.result.message == "no waypoint can be reached: navigation rejects the goal"


@pytest.mark.parametrize("fields", [{"route": "attic"}, {"route": "hall", "start_waypoint": 2}])
def test_an_impossible_patrol_is_refused(caller: Caller, fields: dict[str, Any]) -> None:
    assert not caller.send("patrol", **fields).accepted


def test_a_cancelled_patrol_stops_navigation(caller: Caller, nav2: Nav2, ros_graph: Any) -> None:
    from action_msgs.msg import GoalStatus

    nav2.behaviour = {1: "hold"}
    handle = caller.send("patrol", route="hall")
    ros_graph.spin_until(lambda: nav2.goals)
    handle.cancel_goal_async()
    answer = caller.result(handle)
    assert (answer.status, answer.result.state) == (GoalStatus.STATUS_CANCELED, "cancelled")
    ros_graph.spin_until(lambda: nav2.cancelled == 1)


def test_teleoperation_interrupts_and_the_patrol_goes_on_afterwards(caller: Caller, nav2: Nav2, ros_graph: Any) -> None:
    from inspection_interfaces.msg import DriveState

    from inspection_robot.ros import qos

    drive = ros_graph.probe.create_publisher(DriveState, "drive/state", qos.STATE)
    nav2.behaviour = {2: "hold"}
    handle = caller.send("patrol", route="hall", rounds=1)
    ros_graph.spin_until(lambda: nav2.goals == [1, 2])
    drive.publish(DriveState(source="teleop"))
    ros_graph.spin_until(lambda: nav2.cancelled == 1 and caller.states[-1].state == "interrupted")
    assert caller.states[-1].reason == "teleop"
    nav2.behaviour = {}
    drive.publish(DriveState(source="none"))
    assert caller.result(handle).result.state == "done"
    assert nav2.goals == [1, 2, 2]


def test_docking_ends_a_patrol(caller: Caller, nav2: Nav2, ros_graph: Any) -> None:
    nav2.behaviour = {1: "hold"}
    patrol = caller.send("patrol", route="hall")
    ros_graph.spin_until(lambda: nav2.goals)
    docking = caller.result(caller.send("dock", purpose="charge"))
    assert docking.result.docked and nav2.goals[-1] == -5
    assert caller.result(patrol).result.state == "cancelled"
    assert not caller.send("dock", purpose="calibrate").accepted, "no dock of ours is for that"


def test_navigation_that_is_absent_fails_after_a_while_and_does_not_hang(
    ros_graph: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_robot.patrol.node import PatrolNode
    from inspection_robot.ros import navigation

    monkeypatch.setattr(navigation, "SERVER_PATIENCE_S", 0.3)
    node = ros_graph.make(PatrolNode, overrides=settings)
    ros_graph.activate(node)
    caller = Caller(ros_graph)
    answer = caller.result(caller.send("patrol", route="hall", rounds=1))
    assert answer.result.message == "no waypoint can be reached: navigation is not there"
    caller.close()


def test_a_journey_that_takes_too_long_is_cancelled(ros_graph: Any, nav2: Nav2, settings: dict[str, Any]) -> None:
    from inspection_robot.patrol.node import PatrolNode

    nav2.behaviour = {1: "hold", 2: "hold"}
    node = ros_graph.make(PatrolNode, overrides=settings | {"longest_travel_s": 5.0})
    ros_graph.activate(node)
    node._navigation._longest_travel_s = 0.5
    caller = Caller(ros_graph)
    answer = caller.result(caller.send("patrol", route="hall", rounds=1))
    assert answer.result.message == "no waypoint can be reached: takes longer than 0.5 s"
    ros_graph.spin_until(lambda: nav2.cancelled == 2)
    caller.close()


def test_a_patrol_that_a_crash_cut_off_is_resumed_where_it_stood(
    ros_graph: Any, nav2: Nav2, settings: dict[str, Any]
) -> None:
    from inspection_robot.patrol.node import PatrolNode

    progress = Path(settings["progress_file"])
    progress.parent.mkdir()
    progress.write_text('{"route": "hall", "rounds": 1, "start_waypoint": 1}')
    node = ros_graph.make(PatrolNode, overrides=settings)
    ros_graph.activate(node)
    ros_graph.spin_until(lambda: nav2.goals == [2] and progress.read_text() == "")


def test_progress_that_cannot_be_read_is_a_fault_and_no_crash(
    ros_graph: Any, nav2: Nav2, settings: dict[str, Any]
) -> None:
    from inspection_interfaces.msg import Fault

    from inspection_robot.patrol.node import PatrolNode
    from inspection_robot.ros import qos

    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    progress = Path(settings["progress_file"])
    progress.parent.mkdir()
    progress.write_text('{"route": 5, "rounds"')
    ros_graph.activate(ros_graph.make(PatrolNode, overrides=settings))
    ros_graph.spin_until(lambda: [fault.code for fault in faults] == ["patrol.progress_unreadable"])


def test_orders_of_the_center_take_precedence_and_are_carried_out_once(
    caller: Caller, nav2: Nav2, ros_graph: Any, settings: dict[str, Any]
) -> None:
    from inspection_interfaces.msg import Order, OrderProgress

    from inspection_robot.ros import qos

    progress = ros_graph.record(OrderProgress, "order_progress", qos.ALARM)
    orders = ros_graph.probe.create_publisher(Order, "orders", qos.ALARM)
    nav2.behaviour = {1: "hold"}
    patrol = caller.send("patrol", route="hall")
    ros_graph.spin_until(lambda: nav2.goals == [1])
    order = Order(order_id="o1", revision=1, kind="dispatch")
    order.place.header.frame_id = "map"
    order.place.pose.position.x = 9.0
    order.place.pose.orientation.w = 1.0
    orders.publish(order)
    ros_graph.spin_until(lambda: progress and progress[-1].state == "done")
    assert [told.state for told in progress] == ["accepted", "running", "done"]
    assert nav2.goals == [1, 9]
    assert caller.result(patrol).result.state == "cancelled"
    orders.publish(order)  # the bridge was restarted
    orders.publish(Order(order_id="o2", revision=1, kind="patrol", place_name="attic"))
    ros_graph.spin_until(lambda: progress[-1].order_id == "o2")
    assert (progress[-1].state, "no route 'attic'" in progress[-1].reason) == ("failed", True)
    late = Order(order_id="o3", revision=1, kind="return_to_dock")
    late.expires.sec = 1
    orders.publish(late)
    ros_graph.spin_until(lambda: progress[-1].order_id == "o3")
    assert progress[-1].state == "expired"
    assert nav2.goals == [1, 9]


def test_a_rise_slows_the_robot_and_an_alarm_makes_it_look_again_from_the_suggested_place(
    caller: Caller, nav2: Nav2, ros_graph: Any, patrol: Any
) -> None:
    from diagnostic_msgs.msg import KeyValue
    from geometry_msgs.msg import TransformStamped
    from inspection_interfaces.msg import Detection, RadiationReading
    from nav2_msgs.msg import SpeedLimit
    from tf2_msgs.msg import TFMessage

    from inspection_robot.ros import qos
    from inspection_robot.ros.frames import DYNAMIC_QOS

    limits = ros_graph.record(SpeedLimit, "speed_limit", qos.ALARM)
    readings = ros_graph.probe.create_publisher(RadiationReading, "radiation/reading", qos.EVENT)
    detections = ros_graph.probe.create_publisher(Detection, "detections", qos.ALARM)
    transforms = ros_graph.probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
    nav2.behaviour = {1.0: "hold"}
    caller.send("patrol", route="hall", rounds=1)
    ros_graph.spin_until(lambda: nav2.goals == [1])

    def rise(status: int, p_value: float) -> None:
        frame = TransformStamped(child_frame_id="base_link")
        frame.header.frame_id = "map"
        frame.header.stamp = patrol.get_clock().now().to_msg()
        frame.transform.rotation.w = 1.0
        transforms.publish(TFMessage(transforms=[frame]))
        readings.publish(RadiationReading(status=status, p_value=p_value))

    def until(condition: Any, status: int, p_value: float) -> None:
        def tick() -> bool:
            rise(status, p_value)
            return bool(condition())

        ros_graph.spin_until(tick)

    until(lambda: limits, RadiationReading.STATUS_OK, 1e-5)
    assert (limits[0].percentage, limits[0].speed_limit) == (False, pytest.approx(0.2))
    assert nav2.goals == [1]  # slower, but still on its way
    suggestion = Detection(kind="radiation.source", attributes=[KeyValue(key="next_viewpoint", value="3.5,1.0")])
    detections.publish(suggestion)
    until(lambda: 3.5 in nav2.goals, RadiationReading.STATUS_ALARM, 1e-9)
    assert nav2.goals[:2] == [1, 3.5]
