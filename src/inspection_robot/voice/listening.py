"""From a stream of sound to utterances: end-pointing, half-duplex, partial and final texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.voice.audio import level
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.recognition import Recogniser, Word
from inspection_robot.voice.vad import EndPointer, EndPointing, Event, SpeechAudio, SpeechStart

LOUD_OVER_ECHO_DB = 10.0
"""While the robot speaks, the traveller must be this much louder than what the microphone hears of the robot."""

AMBIENT_ADAPTATION = 0.02


@dataclass(frozen=True)
class Utterance:
    """What was heard.

    Attributes:
        start_s: in the stream [s].
        language: zh, en, or und when nothing was understood.
        fault: silent, clipped, cut (too long), or empty.
    """

    start_s: float
    duration_s: float
    language: str
    text: str
    confidence: float
    words: tuple[Word, ...]
    fault: str = ""


class Listener:
    """Hears a stream.

    Args:
        recogniser: None when there is no speech model: then only beginnings and ends of speech are told.
        on_utterance: called with each finished utterance.
        on_speech: called when somebody begins to speak: the moment to fall silent.
        settings: of the end-pointing.
        end_pointer: in place of one with ``settings``.
    """

    def __init__(
        self,
        recogniser: Recogniser | None,
        on_utterance: Callable[[Utterance], None],
        on_speech: Callable[[], None] = lambda: None,
        settings: EndPointing | None = None,
        end_pointer: EndPointer | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._on_utterance, self._on_speech = on_utterance, on_speech
        self._settings = settings or EndPointing()
        self._end_pointer = end_pointer or EndPointer(self._settings)
        self._start_s = 0.0
        self._heard: list[NDArray[np.int16]] = []
        self._own_voice = False
        self._own_dbfs = -np.inf
        self.ambient_dbfs = -60.0
        self.language: Language | None = None

    @property
    def speaking(self) -> bool:
        """Whether somebody is speaking to the robot."""
        return self._end_pointer.speaking

    def robot_speaks(self, speaks: bool) -> None:
        """Tell that the robot itself begins or ends to speak: it must not answer itself."""
        if speaks != self._own_voice:
            self._own_voice, self._own_dbfs = speaks, -np.inf
            if not self._end_pointer.speaking:
                self._end_pointer.reset()

    def feed(self, audio: NDArray[np.int16]) -> None:
        """Hear more of the stream."""
        loudness = level(audio).dbfs
        if self._own_voice and not self._end_pointer.speaking and not self._over_echo(loudness):
            return
        if not self._own_voice and not self._end_pointer.speaking and np.isfinite(loudness):
            self.ambient_dbfs += AMBIENT_ADAPTATION * (loudness - self.ambient_dbfs)
        self._take(self._end_pointer.feed(audio))

    def finish(self) -> None:
        """The stream has ended."""
        self._take(self._end_pointer.finish())

    def _over_echo(self, loudness: float) -> bool:
        """Whether sound during the robot's own speech is too loud to be its echo; the first sound tells the echo."""
        if not np.isfinite(self._own_dbfs):
            self._own_dbfs = max(loudness, self.ambient_dbfs)
            return False
        over = loudness > self._own_dbfs + LOUD_OVER_ECHO_DB
        if not over:
            self._own_dbfs = max(self._own_dbfs, loudness)
        return over

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, SpeechStart):
                self._start_s, self._heard = event.start_s, [event.audio]
                self._on_speech()
                if self._recogniser is not None:
                    self._recogniser.begin()
                    self._recogniser.feed(event.audio)
            elif isinstance(event, SpeechAudio):
                self._heard.append(event.audio)
                if self._recogniser is not None:
                    self._recogniser.feed(event.audio)
            else:
                self._finish_utterance(event.cut)

    def _finish_utterance(self, cut: bool) -> None:
        audio = np.concatenate(self._heard)
        self._heard = []
        duration_s = len(audio) / 16_000
        fault = level(audio).fault or ("cut" if cut else "")
        if self._recogniser is None:
            self._on_utterance(Utterance(self._start_s, duration_s, "und", "", 0.0, (), "no speech model"))
            return
        silence_s = min(duration_s / 2, self._settings.before_s + self._settings.silence_s)
        heard = self._recogniser.end(self.language, silence_s)
        if heard.language == "zh" or heard.language == "en":
            self.language = heard.language  # type: ignore[assignment]  # narrowed by the comparison above
        self._on_utterance(
            Utterance(self._start_s, duration_s, heard.language, heard.text, heard.confidence, heard.words, fault)
        )
