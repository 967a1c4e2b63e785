from __future__ import annotations

import array
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.voice.audio import resample
from inspection_robot.voice.player import CaptionPlayer

pytestmark = pytest.mark.ros


class Captions(CaptionPlayer):
    """A robot without a sound card, with captions at hundredfold speed."""

    missing = "there is no sound card"

    def __init__(self, _: str) -> None:
        super().__init__(100.0)


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
    monkeypatch.setattr(module, "SystemPlayer", Captions)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "none"})
    ros_graph.activate(node)
    ros_graph.spin_until(lambda: node._reception is not None)
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
    ros_graph.spin_until(lambda: len(answers) == 2)
    assert [m.answer_id for m in answers] == ["fresh-fruit", ""]
    assert "written record" in answers[1].text and not list((tmp_path / "voice" / "transcripts").glob("*"))
    second = ask(ros_graph, "谁赢了昨晚的足球赛", first.session)
    assert second.refused and second.session == first.session and not second.answer_id
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


def test_while_the_answers_load_a_typed_question_is_told_to_wait(
    ros_graph: Any, module: Any, retriever: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def slow(*_: Any) -> Any:
        assert go.wait(60)
        return retriever

    monkeypatch.setattr(module, "Retriever", slow)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "none"})
    ros_graph.activate(node)
    early = ask(ros_graph, "可以带苹果吗")
    assert early.refused and "请稍后再问" in early.answer
    go.set()
    ros_graph.spin_until(lambda: node._reception is not None)
    assert ask(ros_graph, "可以带苹果吗").answer_id == "fresh-fruit"


def missing(name: str) -> Path:
    raise InputError(name, "model not found")


def test_without_a_speech_model_the_node_says_so_and_still_answers(
    ros_graph: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    monkeypatch.setattr("inspection_robot.voice.recognition.find", lambda name: missing(name))
    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "topic"})
    ros_graph.activate(node)
    ros_graph.spin_until(lambda: any(f.code == "voice.no_speech_model" and f.active for f in faults))
    assert "type" in next(f.text for f in faults if f.code == "voice.no_speech_model")
    assert ask(ros_graph, "可以带苹果吗").answer_id == "fresh-fruit"


# Spoken questions, through the real recognisers and the real synthesiser, over the microphone topic.

MODELS = {"model_en": "models/vosk-test-en", "model_zh": "models/vosk-test-zh"}
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


class Room:
    """A traveller who speaks into the robot's microphone topic, at a multiple of real time, and what the robot does."""

    def __init__(self, graph: Any, node: Any) -> None:
        from inspection_interfaces.msg import Answer, Detection, PersonArray, Utterance
        from std_msgs.msg import Int16MultiArray

        from inspection_robot.ros import qos

        self.graph, self.node, self.people_type = graph, node, PersonArray
        self.utterances: list[Any] = graph.record(Utterance, "voice/utterances", qos.EVENT)
        self.captions: list[Any] = graph.record(Answer, "voice/answers", qos.EVENT)
        self.detections: list[Any] = graph.record(Detection, "detections", qos.ALARM)
        self.microphone = graph.probe.create_publisher(Int16MultiArray, "microphone/audio", qos.EVENT)
        graph.spin_until(
            lambda: node._models and node._models.recogniser and self.microphone.get_subscription_count() == 1
        )

    def hear(self, samples: Any) -> None:
        """Sound at the microphone, in blocks of 100 ms."""
        from std_msgs.msg import Int16MultiArray

        for start in range(0, len(samples), 1600):
            block = samples[start : start + 1600]
            self.microphone.publish(Int16MultiArray(data=array.array("h", block.tobytes())))
            self.graph.executor.spin_once(timeout_sec=0.01)

    def ask(self, text: str, language: str) -> Any:
        """Say a question; returns the final utterance."""
        before = len(self.finals())
        sound = self.node._synthesiser.submit(text, language).result(60)
        speech = resample(sound.samples, sound.rate_hz)
        audio = np.concatenate([np.zeros(8000), speech, np.zeros(16_000)])
        self.hear((audio + np.random.default_rng(1).normal(0, 20, len(audio))).astype(np.int16))
        self.graph.spin_until(lambda: len(self.finals()) > before)
        return self.finals()[-1]

    def finals(self) -> list[Any]:
        return [m for m in self.utterances if m.final]

    def said(self, session: str, answer_id: str) -> list[Any]:
        """The captions of an answer, once it was said to its end."""

        def captions() -> list[Any]:
            return [m for m in self.captions if m.session == session and m.answer_id == answer_id]

        self.graph.spin_until(lambda: any(m.state == "finished" for m in captions()))
        return captions()


@pytest.fixture
def room(ros_graph: Any, module: Any, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(module, "SystemPlayer", Captions)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "topic", **MODELS})
    ros_graph.activate(node)
    return Room(ros_graph, node)


@needs_espeak
def test_a_spoken_question_is_answered_aloud_in_its_language_with_captions(room: Room) -> None:
    for text, language, answer, word in (
        ("can i bring an apple", "en", "fresh-fruit", "fruit"), ("香烟可以带多少", "zh", "cigarettes", "香烟"),
    ):  # fmt: skip
        heard = room.ask(text, language)
        assert (heard.language, heard.text) == (language, text) and heard.session
        said = room.said(heard.session, answer)
        assert {m.state for m in said} >= {"queued", "speaking", "finished"}
        assert all(m.language == language and m.sources for m in said) and word in said[-1].text.lower()
        assert any(not m.final and m.language == language for m in room.utterances)


@needs_espeak
def test_who_asks_for_a_person_gets_an_officer_and_hears_his_answer(room: Room, tmp_path: Path) -> None:
    from inspection_interfaces.msg import Announcement

    from inspection_robot.ros import qos

    heard = room.ask("please call an officer", "en")
    room.graph.spin_until(lambda: room.detections)
    (alert,) = room.detections
    attributes = {pair.key: pair.value for pair in alert.attributes}
    assert (alert.kind, alert.severity) == ("voice.hand_over", alert.SEVERITY_ALARM)
    assert (attributes["session"], attributes["language"], attributes["reason"]) == (heard.session, "en", "asked")
    room.graph.spin_until(lambda: any(m.priority == 0 and m.state == "finished" for m in room.captions))
    center = room.graph.probe.create_publisher(Announcement, "announcements", qos.ALARM)
    center.publish(Announcement(announcement_id="o1", priority=1, text_en="I am coming to you."))
    room.graph.spin_until(
        lambda: any(
            m.session == heard.session and m.text == "I am coming to you." and m.state == "finished"
            for m in room.captions
        )
    )
    room.ask("thank you", "en")
    room.graph.spin_until(lambda: list((tmp_path / "voice" / "transcripts").glob("*")))
    (path,) = (tmp_path / "voice" / "transcripts").glob("*.jsonl")
    speakers = [json.loads(line)["speaker"] for line in path.read_text().splitlines()]
    assert speakers.count("officer") == 1 and len(room.detections) == 1


@needs_espeak
def test_who_passes_by_is_not_answered_unless_he_calls_the_robot(room: Room) -> None:
    from geometry_msgs.msg import TransformStamped
    from inspection_interfaces.msg import Person, PersonArray
    from tf2_msgs.msg import TFMessage

    from inspection_robot.ros import qos
    from inspection_robot.ros.frames import STATIC_QOS

    placed = TransformStamped(child_frame_id="base_link")
    placed.header.frame_id = "map"
    placed.transform.rotation.w = 1.0
    room.graph.probe.create_publisher(TFMessage, "/tf_static", STATIC_QOS).publish(TFMessage(transforms=[placed]))
    people = room.graph.probe.create_publisher(PersonArray, "people", qos.SENSOR)

    def stands(metres: float) -> None:
        message = PersonArray(people=[Person(track="7", existence=1.0)])
        message.header.frame_id = "map"
        message.people[0].pose.pose.position.x = metres

        def known() -> bool:
            people.publish(message)
            return bool(room.node._attention.knows and (room.node._attention.nearest() == "7") == (metres < 2.0))

        room.graph.spin_until(known)

    stands(8.0)
    assert room.ask("can i bring an apple", "en").session == ""
    stands(8.0)
    called = room.ask("hello robot", "en")
    assert called.session
    stands(1.2)
    assert room.ask("can i bring an apple", "en").session == called.session
    assert not room.detections
