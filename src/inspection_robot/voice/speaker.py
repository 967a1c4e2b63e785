"""What is said when: a queue by priority, interruption and resumption at sentence ends, and silence on barge-in."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.player import Playback, Player
from inspection_robot.voice.spoken_text import sentences
from inspection_robot.voice.synthesis import Sound, Synthesiser, SynthesisError

State = Literal["queued", "speaking", "interrupted", "finished"]


class Priority(IntEnum):
    """Higher interrupts lower. The numbers are those of ``Speak.action``."""

    ADVERTISEMENT = 0
    ANSWER = 1
    INTERCEPTION = 2
    EMERGENCY = 3


@dataclass(frozen=True)
class Caption:
    """What is being said, for screens and feedback.

    Attributes:
        state: of the whole speech.
        sentence: the one being said; empty unless speaking.
        progress: share of the sentences said, 0..1.
        spoken: whether it was said to its end; meaningful when finished.
    """

    state: State
    sentence: str
    progress: float
    spoken: bool = False


@dataclass
class Speech:
    """Something to say. ``done`` is set when it is over, said to its end or not."""

    text: str
    priority: Priority
    language: Language | None = None
    resume: bool = False
    on_caption: Callable[[Caption], None] = lambda _: None
    spoken: bool = False
    fault: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    _sentences: list[str] = field(default_factory=list)
    _next: int = 0
    _cancelled: bool = False
    _paused: bool = False


class Speaker:
    """Says one thing at a time.

    A speech of higher priority cuts in at once; the one it interrupts goes on after it, from the start of the broken
    sentence, when it asked for that. Speeches of the same priority wait for each other.

    Args:
        synthesiser: makes the sound; closed with the speaker.
        player: plays it.
        on_speaking: called with True before the first sound and with False after the last: the microphone is deaf, or
            hard of hearing, in between.
    """

    def __init__(
        self, synthesiser: Synthesiser, player: Player, on_speaking: Callable[[bool], None] = lambda _: None
    ) -> None:
        self.gain_db = 0.0
        self._synthesiser = synthesiser
        self._player = player
        self._on_speaking = on_speaking
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, Speech]] = []
        self._current: Speech | None = None
        self._playback: Playback | None = None
        self._making: Future[Sound] | None = None
        self._cut = False
        self._pause = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()

    @property
    def speaking(self) -> bool:
        """Whether something is being said."""
        return self._current is not None

    @property
    def playing(self) -> bool:
        """Whether sound is coming out."""
        return self._playback is not None

    def say(self, speech: Speech) -> Speech:
        """Queue a speech; one of lower priority that is being said is cut off."""
        speech._sentences = sentences(speech.text)
        with self._changed:
            if self._closed or not speech._sentences:
                speech.fault = "the speaker is closed" if self._closed else "there is nothing to say"
                self._end(speech)
                return speech
            self._waiting.append((-speech.priority, next(self._order), speech))
            self._waiting.sort(key=lambda item: item[:2])
            if self._current is not None and self._current.priority < speech.priority:
                self._silence()
            self._changed.notify_all()
        speech.on_caption(Caption("queued", "", 0.0))
        return speech

    def cancel(self, speech: Speech) -> None:
        """Drop a speech, or stop it in mid-sentence."""
        with self._changed:
            speech._cancelled = True
            if speech is self._current:
                self._silence()
            elif any(item[2] is speech for item in self._waiting):
                self._waiting = [item for item in self._waiting if item[2] is not speech]
                self._end(speech)

    def barge_in(self) -> bool:
        """Fall silent because a traveller speaks; emergencies go on. Whether something was cut off.

        Answers and advertisements that wait are dropped too: the traveller has moved on.
        """
        with self._changed:
            dropped = [item[2] for item in self._waiting if item[2].priority <= Priority.ANSWER or item[2]._paused]
            self._waiting = [item for item in self._waiting if not any(item[2] is speech for speech in dropped)]
            for speech in dropped:
                self._end(speech)
            self._go_on()
            current = self._current
            if current is None or current.priority >= Priority.EMERGENCY:
                return bool(dropped)
            current._cancelled = True
            self._silence()
            return True

    def pause(self) -> None:
        """Fall silent because a traveller may be about to speak; emergencies go on.

        :meth:`barge_in` or :meth:`go_on` tells what came of it.
        """
        with self._changed:
            self._pause = True
            if self._current is not None and self._current.priority < Priority.EMERGENCY:
                self._current._paused = True
                self._silence()

    def go_on(self) -> None:
        """It was nothing: say what :meth:`pause` broke off, from the start of its sentence."""
        with self._changed:
            self._go_on()

    def _go_on(self) -> None:
        self._pause = False
        for _, _, speech in self._waiting:
            speech._paused = False
        self._changed.notify_all()

    def close(self) -> None:
        """Fall silent and end; what waits is over, unsaid."""
        with self._changed:
            self._closed = True
            for _, _, speech in self._waiting:
                self._end(speech)
            self._waiting.clear()
            if self._current is not None:
                self._current._cancelled = True
            self._silence()
            self._changed.notify_all()
        self._thread.join()
        self._synthesiser.close()

    def _silence(self) -> None:
        """Stop the sound being made or played; called with the lock held."""
        self._cut = True
        if self._making is not None:
            self._making.cancel()
        if self._playback is not None:
            self._playback.stop()

    def _is_cut(self) -> bool:
        return self._cut

    def _may_begin(self) -> bool:
        """Whether something waits that may be said now: in a pause, emergencies only."""
        return any(not self._pause or speech.priority >= Priority.EMERGENCY for _, _, speech in self._waiting)

    def _end(self, speech: Speech) -> None:
        speech.on_caption(Caption("finished", "", _progress(speech), speech.spoken))
        speech.done.set()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._may_begin():
                    self._changed.wait()
                if self._closed:
                    return
                speech = self._waiting.pop(0)[2]
                speech._paused = False
                self._current, self._cut = speech, False
            self._on_speaking(True)
            complete = self._speak(speech)
            with self._changed:
                self._current = None
                resumed = not complete and (speech.resume or speech._paused) and not speech._cancelled
                resumed = resumed and not speech.fault and not self._closed
                speech._paused = speech._paused and self._pause
                if resumed:
                    self._waiting.append((-speech.priority, -1, speech))
                    self._waiting.sort(key=lambda item: item[:2])
                silent = not self._may_begin()
            if silent:
                self._on_speaking(False)
            if resumed:
                speech.on_caption(Caption("interrupted", "", _progress(speech)))
            else:
                speech.spoken = complete
                self._end(speech)

    def _speak(self, speech: Speech) -> bool:
        """Say the sentences that are left; whether all of them were said."""
        while speech._next < len(speech._sentences):
            sentence = speech._sentences[speech._next]
            with self._changed:
                if self._is_cut():
                    return False
                self._making = self._synthesiser.submit(sentence, speech.language)
            try:
                sound = self._making.result()
            except CancelledError:
                return False
            except SynthesisError as error:
                speech.fault = str(error)
                return False
            with self._changed:
                self._making = None
                if self._is_cut():
                    return False
                self._playback = self._player.play(sound.louder(self.gain_db) if self.gain_db else sound)
            speech.on_caption(Caption("speaking", sentence, _progress(speech)))
            playback = self._playback
            played = playback.wait()
            with self._changed:
                self._playback = None
                if self._is_cut():
                    return False
            if not played:
                speech.fault = f"{self._player.name} failed: {playback.fault}"
                return False
            speech._next += 1
        return True


def _progress(speech: Speech) -> float:
    return speech._next / len(speech._sentences) if speech._sentences else 0.0


def gain_for(ambient_dbfs: float, quiet_dbfs: float = -55.0, most_db: float = 12.0) -> float:
    """Return by how much to speak up in noise [dB]: half a decibel for each decibel of noise (the Lombard effect).

    Source of the slope: Lane & Tranel 1971, "The Lombard sign and the role of hearing in speech", about 0.5 dB/dB.
    """
    return min(most_db, max(0.0, 0.5 * (ambient_dbfs - quiet_dbfs)))
