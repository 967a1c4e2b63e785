"""From a stream of sound to utterances: end-pointing, half-duplex, partial and final texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.voice.audio import level
from inspection_robot.voice.denoising import Denoiser
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.recognition import Recogniser, Word
from inspection_robot.voice.vad import (
    RATE_HZ,
    EndPointer,
    EndPointing,
    Event,
    FalseOnset,
    SpeechAudio,
    SpeechOnset,
    SpeechStart,
)

LOUD_OVER_ECHO_DB = 10.0
"""While the robot speaks, the traveller must be this much louder than what the microphone hears of the robot."""

AMBIENT_S = 5.0
"""Time constant of the estimate of the ambient noise [s]."""

NO_MODEL = "no speech model"

QUIETEST_DBFS = -60.0
"""What the ambient noise is taken for before any was heard."""


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
        recogniser: None while there is no speech model: then only beginnings and ends of speech are told. It may be
            set later, and the denoiser too; an utterance is heard to its end by those it began with.
        on_utterance: called with each finished utterance.
        on_speech: called when somebody begins to speak: the moment to fall silent for good.
        on_onset: called with True when somebody may be about to speak: the moment to pause; and with False when it
            was nothing.
        settings: of the end-pointing.
        end_pointer: in place of one with ``settings``.
        denoiser: cleans utterances whose signal-to-noise ratio is below ``denoise_below_db``; clean speech it harms.
        denoise_below_db: see there [dB].
    """

    def __init__(
        self,
        recogniser: Recogniser | None,
        on_utterance: Callable[[Utterance], None],
        on_speech: Callable[[], None] = lambda: None,
        settings: EndPointing | None = None,
        end_pointer: EndPointer | None = None,
        on_onset: Callable[[bool], None] = lambda _: None,
        denoiser: Denoiser | None = None,
        denoise_below_db: float = 10.0,
    ) -> None:
        self.recogniser = recogniser
        self._on_utterance, self._on_speech, self._on_onset = on_utterance, on_speech, on_onset
        self._settings = settings or EndPointing()
        self._end_pointer = end_pointer or EndPointer(self._settings)
        self.denoiser, self._denoise_below_db = denoiser, denoise_below_db
        self._start_s = 0.0
        self._heard: list[NDArray[np.int16]] = []
        self._hears: Recogniser | None = None
        self._cleans: Denoiser | None = None
        self._robot_speaks = self._own_voice = False
        self._own_dbfs = -np.inf
        self._ambient_power = 10 ** (QUIETEST_DBFS / 10)
        self.denoised = 0
        self.language: Language | None = None

    @property
    def speaking(self) -> bool:
        """Whether somebody is speaking to the robot."""
        return self._end_pointer.speaking

    @property
    def ambient_dbfs(self) -> float:
        """Loudness of the surroundings while nobody speaks [dB re full scale]."""
        return float(10 * np.log10(self._ambient_power))

    def robot_speaks(self, speaks: bool) -> None:
        """Tell, from any thread, that the robot itself begins or ends to speak: it must not answer itself."""
        self._robot_speaks = speaks

    def feed(self, audio: NDArray[np.int16]) -> None:
        """Hear more of the stream."""
        if self._robot_speaks != self._own_voice:
            self._own_voice, self._own_dbfs = self._robot_speaks, -np.inf
            if not self._end_pointer.speaking and not self._end_pointer.onset:
                self._end_pointer.reset()
        loudness = level(audio).dbfs
        somebody = self._end_pointer.speaking or self._end_pointer.onset
        if self._own_voice and not somebody and not self._over_echo(loudness):
            return
        if not self._own_voice and not somebody and np.isfinite(loudness):
            share = min(1.0, len(audio) / RATE_HZ / AMBIENT_S)
            self._ambient_power += share * (max(10 ** (loudness / 10), 1e-9) - self._ambient_power)
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
            if isinstance(event, SpeechOnset):
                self._on_onset(True)
            elif isinstance(event, FalseOnset):
                self._on_onset(False)
            elif isinstance(event, SpeechStart):
                self._begin_utterance(event)
            elif isinstance(event, SpeechAudio):
                self._hear(event.audio)
            else:
                self._finish_utterance(event.cut)

    def _begin_utterance(self, event: SpeechStart) -> None:
        self._start_s, self._heard = event.start_s, []
        self._on_speech()
        self._hears = self.recogniser
        loudest = event.audio[-round(self._settings.speech_s * RATE_HZ) :]
        noisy = level(loudest).dbfs - self.ambient_dbfs < self._denoise_below_db
        self._cleans = self.denoiser if noisy else None
        if self._cleans is not None:
            self._cleans.begin()
            self.denoised += 1
        if self._hears is not None:
            self._hears.begin()
        self._hear(event.audio)

    def _hear(self, audio: NDArray[np.int16]) -> None:
        self._heard.append(audio)
        if self._hears is not None:
            self._hears.feed(audio if self._cleans is None else self._cleans.feed(audio))

    def _finish_utterance(self, cut: bool) -> None:
        audio = np.concatenate(self._heard)
        self._heard = []
        duration_s = len(audio) / RATE_HZ
        fault = level(audio).fault or ("cut" if cut else "")
        if self._hears is None:
            self._on_utterance(Utterance(self._start_s, duration_s, "und", "", 0.0, (), NO_MODEL))
            return
        if self._cleans is not None:
            self._hears.feed(self._cleans.finish())
        silence_s = min(duration_s / 2, self._settings.before_s + self._settings.silence_s)
        heard = self._hears.end(self.language, silence_s)
        if heard.language == "zh" or heard.language == "en":
            self.language = heard.language  # type: ignore[assignment]  # narrowed by the comparison above
        self._on_utterance(
            Utterance(self._start_s, duration_s, heard.language, heard.text, heard.confidence, heard.words, fault)
        )
