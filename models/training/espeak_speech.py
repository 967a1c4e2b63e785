"""Speech with known phoneme times, from libespeak-ng: what the test recognisers are trained on.

The library crashes on some combinations of voice, rate and pitch, so every batch runs in a child process of its own;
a batch whose child dies is done again one job at a time, and the job that kills it is skipped.
"""

from __future__ import annotations

import ctypes
import multiprocessing as mp
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

RATE_HZ = 16_000
_ESPEAK_RATE_HZ = 22_050
_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_WORD, _PHONEME = 1, 7
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3


class _Identifier(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", _Identifier),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Job:
    """What to say and how. ``voice`` is a voice name with an optional variant, as ``gmw/en+f3``."""

    text: str
    voice: str
    rate: int
    pitch: int


@dataclass(frozen=True)
class Utterance:
    """Speech with its phonemes.

    Attributes:
        samples: int16 array at 16 kHz.
        phonemes: (name, start [s]) in order.
        words: start of each word [s].
    """

    job: Job
    samples: NDArray[np.int16]
    phonemes: tuple[tuple[str, float], ...]
    words: tuple[float, ...]


def speak(jobs: Sequence[Job], processes: int = 2, batch: int = 40) -> list[Utterance | None]:
    """Synthesise all jobs; None for those that the library cannot do."""
    batches = [list(range(i, min(i + batch, len(jobs)))) for i in range(0, len(jobs), batch)]
    result: list[Utterance | None] = [None] * len(jobs)
    running: list[tuple[list[int], mp.process.BaseProcess, object]] = []
    context = mp.get_context("fork")
    todo = list(reversed(batches))
    while todo or running:
        while todo and len(running) < processes:
            numbers = todo.pop()
            here, there = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=([jobs[i] for i in numbers], there))
            child.start()
            there.close()
            running.append((numbers, child, here))
        numbers, child, here = running.pop(0)
        try:
            done = here.recv() if here.poll(60) else None  # type: ignore[attr-defined]
        except EOFError:
            done = None
        child.kill() if done is None else child.join()
        child.join()
        if done is not None:
            for number, utterance in zip(numbers, done, strict=True):
                result[number] = utterance
        elif len(numbers) > 1:
            todo.extend([number] for number in numbers)
    return result


def _child(jobs: Iterable[Job], pipe: object) -> None:
    library = ctypes.CDLL("libespeak-ng.so.1")
    library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
    pipe.send([_say(library, job) for job in jobs])  # type: ignore[attr-defined]


def _say(library: ctypes.CDLL, job: Job) -> Utterance | None:
    chunks: list[NDArray[np.int16]] = []
    phonemes: list[tuple[str, float]] = []
    words: list[float] = []

    def collect(samples: object, count: int, events: object) -> int:
        if count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())  # type: ignore[call-overload]
        index = 0
        while events[index].type != 0:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            at_s = event.sample / _ESPEAK_RATE_HZ
            if event.type == _PHONEME:
                phonemes.append((event.id.string.decode(errors="replace"), at_s))
            elif event.type == _WORD:
                words.append(at_s)
            index += 1
        return 0

    callback = _Callback(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(job.voice.encode()) != 0:
        return None
    library.espeak_SetParameter(_PARAMETER_RATE, job.rate, 0)
    library.espeak_SetParameter(_PARAMETER_PITCH, job.pitch, 0)
    text = job.text.encode() + b"\0"
    library.espeak_Synth(text, len(text), 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    if not chunks or not phonemes:
        return None
    wave = resample_poly(np.concatenate(chunks).astype(np.float64), 320, 441)
    samples = np.clip(wave, -32768, 32767).astype(np.int16)
    return Utterance(job, samples, tuple(phonemes), tuple(words))
