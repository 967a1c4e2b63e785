"""Sound that is too long, too loud, no speech or gone, and text that means harm: handled and named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspection_robot.voice.audio import Microphone
from inspection_robot.voice.listening import Listener, Utterance
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.player import CAPTIONS_ONLY, SystemPlayer
from inspection_robot.voice.speaker import Priority, Speaker, Speech
from inspection_robot.voice.synthesis import Synthesiser
from inspection_robot.voice.vad import EndPointer, SpeechStart

RATE_HZ = 16_000


def loud(chunk: np.ndarray) -> float:
    return 1.0 if np.abs(chunk).max() > 1000 else 0.0


def hear(audio: np.ndarray) -> list[Utterance]:
    heard: list[Utterance] = []
    listener = Listener(None, heard.append, end_pointer=EndPointer(probability=loud))
    for start in range(0, len(audio), 512):
        listener.feed(audio[start : start + 512].astype(np.int16))
    listener.finish()
    return heard


def test_very_long_speech_is_cut_into_utterances_and_none_of_it_is_lost() -> None:
    audio = np.concatenate([np.zeros(RATE_HZ), np.full(65 * RATE_HZ, 5000), np.zeros(RATE_HZ)])
    heard = hear(audio)
    assert len(heard) == 4 and max(u.duration_s for u in heard) <= 20.1
    assert sum(u.duration_s for u in heard) == pytest.approx(65.7, abs=0.5)


def music(seconds: float) -> np.ndarray:
    """Chords of plucked strings with overtones, a beat a second."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(t))
    for beat in range(int(seconds * 2)):
        since = t - beat / 2
        ringing = (since >= 0) * np.exp(-np.clip(since, 0, None) * 4)
        for note in (0, 4, 7):
            f = 220 * 2 ** ((note + (beat % 4) * 2) / 12)
            sound += ringing * sum(np.sin(2 * np.pi * f * k * t) / k for k in (1, 2, 3))
    return sound / np.abs(sound).max() * 12_000


def test_music_is_not_taken_for_speech() -> None:
    pointer = EndPointer()
    assert not any(isinstance(e, SpeechStart) for e in pointer.feed(music(8.0).astype(np.int16)))


def program(folder: Path, text: str, name: str = "recorder") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_microphone_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    microphone = Microphone(program=program(tmp_path, "echo 'No such device' >&2; exit 1"))
    with pytest.raises(Exception, match="No such device"):
        next(microphone.chunks(512))
    program(tmp_path, "head -c 2048 /dev/zero")
    assert len(next(microphone.chunks(512))) == 512


def test_a_sound_card_may_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exit 0", "aplay")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cards = tmp_path / "cards"
    player = SystemPlayer(cards=cards)
    names = []
    for content in ("--- no soundcards ---\n", " 0 [PCH]: HDA-Intel\n", "--- no soundcards ---\n"):
        cards.write_text(content)
        names.append((player.name, bool(player.missing)))
    assert names == [(CAPTIONS_ONLY, True), ("aplay", False), (CAPTIONS_ONLY, True)]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert player.missing == "aplay is not installed"


def test_a_player_that_fails_is_named_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(tmp_path, "echo 'audio open error: Device or resource busy' >&2; exit 1", "aplay")
    speaker = Speaker(Synthesiser(), SystemPlayer("hw:0"))
    failed = speaker.say(Speech("One. Two. Three.", Priority.ANSWER))
    assert failed.done.wait(60) and failed.fault == "aplay failed: audio open error: Device or resource busy"
    program(tmp_path, "exit 0", "aplay")
    played = speaker.say(Speech("One.", Priority.ANSWER))
    assert played.done.wait(60) and played.spoken
    speaker.close()


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Li Wei. Attention: leave the hall at once!", "Li Wei Attention leave the"), ("{summary}", "summary"),
        ("${PATH} $(reboot)", "PATH reboot"), ("<speak>run</speak>", "speak run speak"),
        ("王\x00伟\x1b", "王 伟"), ("张伟。\n请离开", "张伟 请离开"), ("[[inpt PHON]]", "inpt PHON"),
        ("a" * 5000, "a" * 40), ("Anne-Marie O’Neill 123", "Anne-Marie O’Neill"),
    ],
)  # fmt: skip
def test_a_name_from_a_watch_list_stays_a_name_when_spoken(name: str, spoken: str) -> None:
    phrases = Phrases()
    assert phrases.text("interception.named", "en", {"name": name}).startswith(f"Excuse me, {spoken}. ")
    assert f"，{spoken}。" in phrases.text("interception.named", "zh", {"name": name})


# The node's own account of it.

pytest.importorskip("rclpy")


@pytest.fixture
def module(retriever: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path))
    from inspection_robot.voice import node

    monkeypatch.setattr(node, "Retriever", lambda *_: retriever)
    return node


@pytest.fixture
def faults(ros_graph: Any) -> list[Any]:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    return ros_graph.record(Fault, "faults", qos.ALARM)


@pytest.mark.ros
def test_a_missing_recorder_is_one_fault_however_often_it_is_tried(
    ros_graph: Any, module: Any, faults: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    class Absent(Microphone):
        def __init__(self, device: str = "") -> None:
            super().__init__(device, program="no-such-recorder")

        def chunks(self, samples: int) -> Any:
            tries.append(samples)
            return super().chunks(samples)

    monkeypatch.setattr(module, "Microphone", Absent)
    monkeypatch.setattr("inspection_robot.ros.workers.FIRST_RETRY_S", 0.01)
    node = ros_graph.make(module.VoiceNode, overrides={"source": "microphone"})
    ros_graph.activate(node)
    ros_graph.spin_until(lambda: len(tries) >= 4)
    told = [f for f in faults if f.code == "voice.microphone_failed"]
    assert [f.text for f in told] == ["microphone: no-such-recorder is not installed"]


@pytest.mark.ros
def test_clipped_sound_is_a_fault_until_it_is_not(ros_graph: Any, module: Any, faults: list[Any]) -> None:
    node = ros_graph.make(module.VoiceNode, overrides={"source": "none"})
    ros_graph.activate(node)
    node._stream_began = node.get_clock().now()

    def code(active: bool) -> Callable[[], bool]:
        return lambda: any(f.code == "voice.sound_unusable" and f.active == active for f in faults)

    node._on_utterance(Utterance(0.0, 1.0, "und", "", 0.0, (), "clipped"))
    ros_graph.spin_until(code(True))
    assert "clipped" in next(f.text for f in faults if f.code == "voice.sound_unusable")
    node._on_utterance(Utterance(2.0, 1.0, "und", "", 0.0, ()))
    ros_graph.spin_until(code(False))
