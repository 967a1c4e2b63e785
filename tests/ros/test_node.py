from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspection_contract.errors import InputError

pytestmark = pytest.mark.ros


@pytest.fixture
def sample_class(ros_domain: int) -> Any:
    from tests.ros.sample_node import SampleNode

    return SampleNode


@pytest.fixture
def sample(ros_graph: Any, sample_class: Any) -> Any:
    node = ros_graph.make(sample_class)
    yield node
    node.release.set()


def faults(graph: Any) -> list[Any]:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    recorded: list[Any] = graph.record(Fault, "faults", qos.ALARM)
    return recorded


def texts(graph: Any) -> list[Any]:
    from std_msgs.msg import String

    from inspection_robot.ros import qos

    recorded: list[Any] = graph.record(String, "out", qos.EVENT)
    return recorded


def send(graph: Any, node: Any) -> Any:
    """A publisher on the node's input, once the two have met."""
    from std_msgs.msg import Int32

    from inspection_robot.ros import qos

    publisher = graph.probe.create_publisher(Int32, "in", qos.EVENT)
    graph.spin_until(lambda: publisher.get_subscription_count() > 0)
    return lambda number: publisher.publish(Int32(data=number))


def state(node: Any) -> str:
    return str(node._state_machine.current_state[1])


def test_transitions_call_the_nodes_methods_in_order(ros_graph: Any, sample: Any) -> None:
    ros_graph.activate(sample)
    assert sample.is_active
    sample.trigger_deactivate()
    sample.trigger_cleanup()
    assert sample.calls == ["configure", "activate", "deactivate", "cleanup"]
    assert state(sample) == "unconfigured"


def test_a_node_publishes_only_while_active(ros_graph: Any, sample: Any) -> None:
    from std_msgs.msg import String

    heard = texts(ros_graph)
    sample.trigger_configure()
    ros_graph.spin_until(lambda: sample.out.get_subscription_count() > 0)
    sample.out.publish(String(data="too early"))
    sample.trigger_activate()
    sample.trigger_deactivate()
    sample.out.publish(String(data="too late"))
    sample.trigger_activate()
    ros_graph.spin_until(lambda: len(heard) == 3)
    assert [message.data for message in heard] == ["active", "inactive", "active"]


def test_entities_end_with_their_phase_and_come_back(ros_graph: Any, sample: Any) -> None:
    before = len(list(sample.timers)), len(list(sample.subscriptions)), len(list(sample.services))
    for _ in range(2):
        ros_graph.activate(sample)
        sample.trigger_deactivate()
        sample.trigger_cleanup()
    assert (len(list(sample.timers)), len(list(sample.subscriptions)), len(list(sample.services))) == before


def test_a_failed_configure_undoes_everything_and_says_why(ros_graph: Any, sample_class: Any) -> None:
    heard = faults(ros_graph)
    node = ros_graph.make(sample_class, overrides={"device": "absent"})
    before = len(list(node.subscriptions))
    assert node.trigger_configure().to_label() == "transition_failure"
    assert state(node) == "unconfigured" and node.calls == ["configure", "cleanup"]
    assert len(list(node.subscriptions)) == before
    ros_graph.spin_until(lambda: heard)
    assert (heard[0].code, heard[0].text, heard[0].active) == (
        "sample.configure_failed", "/dev/absent: no such device", True,
    )  # fmt: skip


def test_an_error_in_a_timer_is_a_fault_until_it_works_again(ros_graph: Any, sample: Any) -> None:
    heard = faults(ros_graph)
    ros_graph.activate(sample)
    sample.broken = True
    ros_graph.spin_until(lambda: heard)
    sample.broken = False
    ros_graph.spin_until(lambda: len(heard) > 1)
    assert [(fault.code, fault.active) for fault in heard] == [
        ("sample.tick_failed", True), ("sample.tick_failed", False),
    ]  # fmt: skip
    assert heard[0].text == "ValueError: tick is broken"
    assert heard[0].source == "sample: timer"


def test_one_bad_message_costs_only_itself(ros_graph: Any, sample: Any) -> None:
    heard, out = faults(ros_graph), texts(ros_graph)
    ros_graph.activate(sample)
    ros_graph.spin_until(lambda: sample.out.get_subscription_count() > 0)
    give = send(ros_graph, sample)
    give(-1)
    ros_graph.spin_until(lambda: heard)
    give(6)
    ros_graph.spin_until(lambda: "36" in [message.data for message in out])
    assert heard[0].code == "sample.receive_failed"


def test_an_error_in_a_worker_is_a_fault_and_the_worker_lives_on(ros_graph: Any, sample: Any) -> None:
    heard, out = faults(ros_graph), texts(ros_graph)
    ros_graph.activate(sample)
    ros_graph.spin_until(lambda: sample.out.get_subscription_count() > 0)
    give = send(ros_graph, sample)
    give(13)
    ros_graph.spin_until(lambda: [fault.text for fault in heard] == ["RuntimeError: unlucky"])
    give(3)
    ros_graph.spin_until(lambda: "9" in [message.data for message in out] and not heard[-1].active)


def test_a_failing_service_refuses_and_says_why(ros_graph: Any, sample: Any) -> None:
    from inspection_interfaces.srv import EmergencyStop

    ros_graph.activate(sample)
    refused = ros_graph.call(EmergencyStop, "stop", EmergencyStop.Request())
    assert (refused.stopped, refused.message) == (False, "actor is missing")
    done = ros_graph.call(EmergencyStop, "stop", EmergencyStop.Request(actor="officer 7"))
    assert done.stopped


def goal(graph: Any, dock: str, cancel: bool = False) -> tuple[int, Any, list[Any]]:
    """Send a goal and return its status, result and feedback."""
    from inspection_interfaces.action import Dock
    from rclpy.action import ActionClient

    client = ActionClient(graph.probe, Dock, "dock")
    graph.spin_until(client.server_is_ready)
    feedback: list[Any] = []
    sent = client.send_goal_async(Dock.Goal(dock=dock), feedback_callback=feedback.append)
    graph.spin_until(sent.done)
    if cancel:
        graph.spin_until(lambda: feedback)
        sent.result().cancel_goal_async()
    result = sent.result().get_result_async()
    graph.spin_until(result.done)
    client.destroy()
    return result.result().status, result.result().result, feedback


def test_actions_run_beside_the_executor(ros_graph: Any, sample: Any) -> None:
    from action_msgs.msg import GoalStatus

    ros_graph.activate(sample)
    status, result, _ = goal(ros_graph, "near")
    assert (status, result.docked) == (GoalStatus.STATUS_SUCCEEDED, True)
    status, result, feedback = goal(ros_graph, "far", cancel=True)
    assert (status, result.message) == (GoalStatus.STATUS_CANCELED, "cancelled")
    assert feedback[0].feedback.state == "driving"
    status, result, _ = goal(ros_graph, "nowhere")
    assert (status, result.message) == (GoalStatus.STATUS_ABORTED, "no dock named nowhere")


def test_heartbeats_tell_state_and_process_and_stop_when_a_worker_is_stuck(ros_graph: Any, sample: Any) -> None:
    import os

    from inspection_interfaces.msg import Heartbeat

    from inspection_robot.ros import qos

    beats = ros_graph.record(Heartbeat, "heartbeats", qos.EVENT)
    ros_graph.activate(sample)
    ros_graph.spin_until(lambda: beats and beats[-1].state == "active")
    assert (beats[-1].node, beats[-1].pid) == ("sample", os.getpid())
    heard = faults(ros_graph)
    send(ros_graph, sample)(77)
    ros_graph.spin_until(lambda: "sample.worker_stuck" in [fault.code for fault in heard])
    last = beats[-1].sequence
    ros_graph.spin_until(lambda: heard[-1].code == "sample.worker_stuck")
    assert beats[-1].sequence == last


def test_diagnostics_name_node_part_and_hardware(ros_graph: Any, sample_class: Any) -> None:
    from diagnostic_msgs.msg import DiagnosticArray

    from inspection_robot.ros import qos

    arrays = ros_graph.record(DiagnosticArray, "/diagnostics", qos.EVENT)
    node = ros_graph.make(sample_class, namespace="robot1")
    ros_graph.activate(node)
    node.fault("lens", "dirty")
    ros_graph.spin_until(lambda: arrays and arrays[-1].status[0].level == b"\x02")
    status = {item.name: item for item in arrays[-1].status}
    assert status.keys() == {"robot1/sample: node", "robot1/sample: device"}
    assert status["robot1/sample: node"].message == "dirty"
    device = status["robot1/sample: device"]
    assert device.hardware_id == "sampler 7"
    assert {pair.key: pair.value for pair in device.values} == {"temperature_c": "30.125", "ok": "true"}


def test_parameters_are_described_with_their_ranges(sample: Any) -> None:
    described = sample.describe_parameter("rate_hz")
    limits = described.floating_point_range[0]
    assert (described.description, limits.from_value, limits.to_value) == ("Ticks a second", 1.0, 100.0)
    assert sample.describe_parameter("device").read_only
    assert sample.get_parameter("names").value == []


def test_parameters_set_at_run_time_are_checked_and_handed_over(sample: Any) -> None:
    from rclpy.parameter import Parameter

    accepted = sample.set_parameters_atomically([Parameter("rate_hz", value=30), Parameter("names", value=["a"])])
    assert accepted.successful
    assert (sample.parameters.rate_hz, sample.parameters.names) == (30.0, ("a",))
    assert [(old.rate_hz, new.rate_hz) for old, new in sample.changes] == [(20.0, 30.0)]
    refused = sample.set_parameters_atomically([Parameter("rate_hz", value=500.0)])
    assert not refused.successful and "rate_hz" in refused.reason
    assert not sample.set_parameters_atomically([Parameter("device", value="absent")]).successful
    assert sample.parameters.rate_hz == 30.0


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"rate_hz": 0.5}, "sample: rate_hz: 0.5 is out of range: 1 … 100"),
        ({"rat_hz": 5.0}, "sample: rat_hz: no such parameter; did you mean rate_hz?"),
    ],
)
def test_a_bad_parameter_at_start_is_one_line(
    ros_graph: Any, sample_class: Any, overrides: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InputError) as caught:
        ros_graph.make(sample_class, overrides=overrides)
    assert str(caught.value) == fault


def test_a_bad_parameter_file_is_named(ros_graph: Any, sample_class: Any, tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text("/**/sample:\n  ros__parameters:\n    rate_hz: 5000\n")
    with pytest.raises(InputError) as caught:
        ros_graph.make(sample_class, parameter_files=[path], cli_args=["--ros-args", "--params-file", str(path)])
    assert str(caught.value) == f"{path}: sample: rate_hz: 5000 is out of range: 1 … 100"


def test_deactivating_ends_running_goals_with_a_result(ros_graph: Any, sample: Any) -> None:
    from action_msgs.msg import GoalStatus
    from inspection_interfaces.action import Dock
    from rclpy.action import ActionClient

    ros_graph.activate(sample)
    client = ActionClient(ros_graph.probe, Dock, "dock")
    ros_graph.spin_until(client.server_is_ready)
    feedback: list[Any] = []
    sent = client.send_goal_async(Dock.Goal(dock="far"), feedback_callback=feedback.append)
    ros_graph.spin_until(lambda: sent.done() and feedback)
    result = sent.result().get_result_async()
    seen = len(feedback) + 5  # the request for the result has reached the server by then
    ros_graph.spin_until(lambda: len(feedback) > seen)
    sample.trigger_deactivate()
    ros_graph.spin_until(result.done)
    assert result.result().status == GoalStatus.STATUS_ABORTED
    again = client.send_goal_async(Dock.Goal(dock="near"))
    ros_graph.spin_until(again.done)
    assert not again.result().accepted
    client.destroy()


def test_a_transition_that_is_not_allowed_is_refused_with_an_answer(ros_graph: Any, sample: Any) -> None:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    assert not ros_graph.call(ChangeState, "sample/change_state", request).success
    assert state(sample) == "unconfigured"
