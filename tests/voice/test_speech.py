"""Synthesis by the real espeak-ng in its worker process, and the queue over a player that the test controls."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.voice.audio import read_wav
from inspection_robot.voice.player import AlsaPlayer, CaptionPlayer
from inspection_robot.voice.speaker import Caption, Priority, Speaker, Speech, gain_for
from inspection_robot.voice.synthesis import Sound, Synthesiser, SynthesisError

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture
def synthesiser() -> Iterator[Synthesiser]:
    made = Synthesiser()
    yield made
    made.close()


@needs_espeak
def test_both_languages_and_their_mixture_become_sound(synthesiser: Synthesiser) -> None:
    for text in ("Please wait here.", "请稍等。", "请出示passport，谢谢。"):
        sound = synthesiser.submit(text).result(60)
        assert sound.duration_s > 0.5
        assert np.abs(sound.samples).max() > 2000


@needs_espeak
def test_nothing_is_lost_and_nothing_hangs_when_jobs_are_cancelled_at_random(synthesiser: Synthesiser) -> None:
    texts = [" ".join(["passenger"] * 2**n) + "." for n in range(4)] + ["您好" * 3**n + "。" for n in range(3)]
    length_s = {text: synthesiser.submit(text).result(60).duration_s for text in texts}
    fresh = Synthesiser(cached=0)
    chooser = random.Random(5)
    jobs = [(text, fresh.submit(text)) for text in (chooser.choice(texts) for _ in range(80))]
    cancelled = {id(job) for _, job in jobs if chooser.random() < 0.4 and job.cancel()}
    for text, job in jobs:
        if id(job) in cancelled:
            with pytest.raises(CancelledError):
                job.result(60)
        else:
            assert job.result(60).duration_s == pytest.approx(length_s[text], abs=0.2)  # its own, no other's
    fresh.close()
    assert cancelled


@needs_espeak
def test_a_killed_worker_is_replaced_and_the_sentence_is_said(synthesiser: Synthesiser) -> None:
    synthesiser.submit("First.").result(60)
    pid = synthesiser.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert synthesiser.submit("Second.").result(60).duration_s > 0.2
    assert synthesiser.pid != pid


@needs_espeak
def test_a_hanging_worker_is_ended_and_the_sentence_is_said() -> None:
    synthesiser = Synthesiser(answer_within_s=1.0)
    synthesiser.submit("First.").result(60)
    assert synthesiser.pid is not None
    os.kill(synthesiser.pid, signal.SIGSTOP)
    assert synthesiser.submit("Second.").result(60).duration_s > 0.2
    assert synthesiser.restarts == 1
    synthesiser.close()


def test_text_without_words_is_refused_before_it_reaches_the_worker(synthesiser: Synthesiser) -> None:
    for text in ("", "…", " \n\x00 ", "!?"):
        with pytest.raises(InputError):
            synthesiser.submit(text)


def test_sound_is_written_as_it_is_and_limited_when_louder(tmp_path: Path) -> None:
    sound = Sound(np.array([0, 1000, -20000, 30000] * 4000, np.int16), 16_000)
    sound.write(tmp_path / "a.wav")
    assert np.array_equal(read_wav(tmp_path / "a.wav"), sound.samples)
    louder = sound.louder(6.0206)
    assert louder.samples.max() == 32767 and louder.samples[1] == pytest.approx(2000, abs=1)


def test_speech_grows_with_noise_up_to_a_limit() -> None:
    assert gain_for(-80) == 0
    assert gain_for(-45) == pytest.approx(5)
    assert gain_for(0) == 12


class StepPlayer:
    """Plays a sound until the test says that it has ended."""

    name = "test"

    def __init__(self) -> None:
        self.playing: list[StepPlayback] = []
        self.changed = threading.Condition()

    def play(self, sound: Sound) -> StepPlayback:
        with self.changed:
            self.playing.append(StepPlayback())
            self.changed.notify_all()
            return self.playing[-1]

    def wait_for(self, count: int) -> StepPlayback:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.playing) >= count, 60), f"sentence {count} was not begun"
            return self.playing[count - 1]


class StepPlayback:
    def __init__(self) -> None:
        self.over, self.whole, self.fault = threading.Event(), True, "the card is gone"

    def wait(self) -> bool:
        assert self.over.wait(60)
        return self.whole

    def stop(self) -> None:
        self.whole = False
        self.over.set()


class Stage:
    """A speaker with a controlled player, and what was told about its speeches."""

    def __init__(self, synthesiser: Synthesiser) -> None:
        self.player = StepPlayer()
        self.speaking: list[bool] = []
        self.told: list[tuple[str, str, str]] = []
        self.speaker = Speaker(synthesiser, self.player, self.speaking.append)

    def say(self, name: str, text: str, priority: Priority, resume: bool = False) -> Speech:
        def caption(now: Caption) -> None:
            self.told.append((name, now.state, now.sentence))

        return self.speaker.say(Speech(text, priority, resume=resume, on_caption=caption))


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(Synthesiser())
    yield made
    made.speaker.close()


@needs_espeak
def test_an_announcement_cuts_in_and_what_it_interrupts_resumes_at_its_sentence(stage: Stage) -> None:
    answer = stage.say("answer", "One. Two. Three.", Priority.ANSWER, resume=True)
    stage.player.wait_for(1).over.set()
    stage.player.wait_for(2)
    urgent = stage.say("urgent", "Stand back!", Priority.EMERGENCY)
    stage.player.wait_for(3).over.set()
    for number in (4, 5):
        stage.player.wait_for(number).over.set()
    assert urgent.done.wait(60) and answer.done.wait(60)
    assert urgent.spoken and answer.spoken
    spoken = [(name, sentence) for name, state, sentence in stage.told if state == "speaking"]
    assert spoken == [
        ("answer", "One."),
        ("answer", "Two."),
        ("urgent", "Stand back!"),
        ("answer", "Two."),
        ("answer", "Three."),
    ]
    assert ("answer", "interrupted", "") in stage.told
    assert stage.speaking[-1] is False


@needs_espeak
def test_lower_priority_waits_and_equal_priority_keeps_its_order(stage: Stage) -> None:
    first = stage.say("first", "One.", Priority.INTERCEPTION)
    stage.player.wait_for(1)
    speeches = [
        stage.say("advert", "Ask me.", Priority.ADVERTISEMENT),
        stage.say("second", "Two.", Priority.INTERCEPTION),
        stage.say("third", "Three.", Priority.INTERCEPTION),
    ]
    for number in range(1, 5):
        stage.player.wait_for(number).over.set()
    assert all(speech.done.wait(60) for speech in (first, *speeches))
    assert [name for name, state, _ in stage.told if state == "speaking"] == ["first", "second", "third", "advert"]


@needs_espeak
def test_the_robot_falls_silent_when_a_traveller_speaks_but_not_in_an_emergency(stage: Stage) -> None:
    answer = stage.say("answer", "One. Two.", Priority.ANSWER, resume=True)
    stage.player.wait_for(1)
    waiting = stage.say("waiting", "Later.", Priority.ANSWER)
    assert stage.speaker.barge_in()
    assert answer.done.wait(60) and waiting.done.wait(60)
    assert not answer.spoken and not waiting.spoken
    emergency = stage.say("emergency", "Leave the hall.", Priority.EMERGENCY)
    playback = stage.player.wait_for(2)
    assert not stage.speaker.barge_in()
    playback.over.set()
    assert emergency.done.wait(60) and emergency.spoken


@needs_espeak
def test_a_pause_goes_on_with_the_broken_sentence_when_it_was_nothing(stage: Stage) -> None:
    answer = stage.say("answer", "One. Two.", Priority.ANSWER)
    stage.player.wait_for(1).over.set()
    stage.player.wait_for(2)
    stage.speaker.pause()
    stage.speaker.go_on()
    stage.player.wait_for(3).over.set()
    assert answer.done.wait(60) and answer.spoken
    assert [sentence for _, state, sentence in stage.told if state == "speaking"] == ["One.", "Two.", "Two."]


@needs_espeak
def test_in_a_pause_only_emergencies_are_said_and_a_traveller_who_speaks_ends_the_rest(stage: Stage) -> None:
    answer = stage.say("answer", "One. Two.", Priority.INTERCEPTION)
    stage.player.wait_for(1)
    stage.speaker.pause()
    emergency = stage.say("emergency", "Leave the hall.", Priority.EMERGENCY)
    stage.player.wait_for(2).over.set()
    assert emergency.done.wait(60) and emergency.spoken
    assert stage.speaker.barge_in()
    assert answer.done.wait(60) and not answer.spoken
    after = stage.say("after", "Three.", Priority.ANSWER)
    stage.player.wait_for(3).over.set()
    assert after.done.wait(60) and after.spoken


@needs_espeak
def test_a_speech_can_be_cancelled_while_waiting_and_while_said(stage: Stage) -> None:
    said = stage.say("said", "One. Two.", Priority.ANSWER)
    stage.player.wait_for(1)
    waiting = stage.say("waiting", "Three.", Priority.ANSWER)
    for speech in (waiting, said):
        stage.speaker.cancel(speech)
        assert speech.done.wait(60) and not speech.spoken


@needs_espeak
def test_a_player_that_fails_is_named(stage: Stage) -> None:
    speech = stage.say("answer", "One.", Priority.ANSWER)
    playback = stage.player.wait_for(1)
    playback.whole = False
    playback.over.set()
    assert speech.done.wait(60)
    assert not speech.spoken and speech.fault == "test failed: the card is gone"


def test_nothing_to_say_is_over_at_once(stage: Stage) -> None:
    speech = stage.say("empty", "…", Priority.ANSWER)
    assert speech.done.is_set() and speech.fault == "there is nothing to say"


def test_a_synthesiser_that_is_not_there_is_a_named_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspection_robot.voice.synthesis.sys.executable", shutil.which("false"))
    synthesiser = Synthesiser()
    with pytest.raises(SynthesisError, match="does not answer"):
        synthesiser.submit("Hello.").result(60)
    synthesiser.close()


def test_the_silent_player_takes_as_long_as_the_sound_and_can_be_stopped() -> None:
    sound = Sound(np.zeros(16_000 * 3600, np.int16), 16_000)
    playback = CaptionPlayer().play(sound)
    threading.Timer(0.05, playback.stop).start()
    assert not playback.wait()
    assert CaptionPlayer().play(Sound(np.zeros(160, np.int16), 16_000)).wait()


def test_a_player_process_is_killed_at_once(tmp_path: Path) -> None:
    program = tmp_path / "player"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    playback = AlsaPlayer(program=str(program)).play(Sound(np.zeros(100, np.int16), 16_000))
    playback.stop()
    assert not playback.wait()
