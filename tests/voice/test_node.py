from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def module(retriever: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node's module, over the answers that are indexed already."""
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path))
    from inspection_robot.voice import node

    monkeypatch.setattr(node, "Retriever", lambda *_: retriever)
    return node


@pytest.fixture
def voice(ros_graph: Any, module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A voice node that is typed to, and silent (no sound card here), with captions at hundredfold speed."""
    from inspection_robot.voice.player import CaptionPlayer

    monkeypatch.setattr(module, "find_player", lambda _: CaptionPlayer(100.0))
    node = ros_graph.make(module.VoiceNode, overrides={"source": "none"})
    ros_graph.activate(node)
    return node


@pytest.fixture
def answers(ros_graph: Any, voice: Any) -> list[Any]:
    from inspection_interfaces.msg import Answer

    from inspection_robot.ros import qos

    return ros_graph.record(Answer, "voice/answers", qos.EVENT)


def ask(graph: Any, text: str, session: str = "") -> Any:
    from inspection_interfaces.srv import Ask

    return graph.call(Ask, "ask", Ask.Request(text=text, session=session))


def test_typed_questions_are_answered_shown_and_kept_without_personal_data(
    ros_graph: Any, answers: list[Any], tmp_path: Path
) -> None:
    first = ask(ros_graph, "Hello, my name is Anna Schmidt. Can I bring apples?")
    assert (first.answer_id, first.language, first.refused) == ("fresh-fruit", "en", False)
    assert first.sources and first.session
    second = ask(ros_graph, "谁赢了昨晚的足球赛", first.session)
    assert second.refused and second.session == first.session and not second.answer_id
    ros_graph.spin_until(lambda: len(answers) == 2)
    assert [m.answer_id for m in answers] == ["fresh-fruit", ""]
    (path,) = (tmp_path / "voice" / "transcripts").glob("*.jsonl")
    assert "Schmidt" not in path.read_text() and "fresh-fruit" in path.read_text()


def send(graph: Any, goal: Any) -> tuple[Any, list[Any]]:
    """Send a speak goal and return its result (None when rejected) and the feedback."""
    from inspection_interfaces.action import Speak
    from rclpy.action import ActionClient

    client, feedback = ActionClient(graph.probe, Speak, "speak"), []
    graph.spin_until(client.server_is_ready)
    future = client.send_goal_async(goal, feedback_callback=feedback.append)
    graph.spin_until(future.done)
    handle = future.result()
    if not handle.accepted:
        client.destroy()
        return None, feedback
    result = handle.get_result_async()
    graph.spin_until(result.done)
    client.destroy()
    return result.result().result, feedback


def test_interception_templates_are_said_in_both_languages(ros_graph: Any, voice: Any, answers: list[Any]) -> None:
    from inspection_interfaces.action import Speak

    for language in ("zh", "en"):
        goal = Speak.Goal(
            template_key="interception.document", language=language, priority=Speak.Goal.PRIORITY_INTERCEPTION
        )
        result, _ = send(ros_graph, goal)
        assert result.spoken, result.message
    said = [m.text for m in answers if m.state == "speaking"]
    assert any("passport" in text for text in said) and any("护照" in text for text in said)
    assert all(m.priority == Speak.Goal.PRIORITY_INTERCEPTION for m in answers)


def test_goals_that_cannot_be_said_are_rejected(ros_graph: Any, voice: Any) -> None:
    from inspection_interfaces.action import Speak

    for goal in (
        Speak.Goal(template_key="nonsense"), Speak.Goal(text="  "), Speak.Goal(text="hello", priority=9),
        Speak.Goal(text="hello", language="fr"),
    ):  # fmt: skip
        result, _ = send(ros_graph, goal)
        assert result is None


def test_an_announcement_of_the_center_is_said_once_in_both_languages(
    ros_graph: Any, voice: Any, answers: list[Any]
) -> None:
    from inspection_interfaces.msg import Announcement

    from inspection_robot.ros import qos

    publisher = ros_graph.probe.create_publisher(Announcement, "announcements", qos.ALARM)
    message = Announcement(announcement_id="a1", priority=3, text_zh="请注意。", text_en="Attention please.")
    for _ in range(2):
        publisher.publish(message)
    publisher.publish(Announcement(announcement_id="a2", priority=3, text_zh="第二。", text_en="Second."))
    ros_graph.spin_until(lambda: sum(m.state == "finished" for m in answers) >= 4)
    said = [m.text for m in answers if m.state == "speaking"]
    assert said.count("Attention please.") == 1 and said.count("请注意。") == 1


def test_without_a_speech_model_the_node_says_so_and_still_answers(
    ros_graph: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    monkeypatch.setattr(module, "installed_models", lambda _: {})
    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "topic"})
    ros_graph.activate(node)
    ros_graph.spin_until(lambda: any(f.code == "voice.no_speech_model" and f.active for f in faults))
    assert "type" in next(f.text for f in faults if f.code == "voice.no_speech_model")
    assert ask(ros_graph, "可以带苹果吗").answer_id == "fresh-fruit"
