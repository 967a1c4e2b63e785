"""Text to sound, by a worker process that is watched, killed when it hangs, and started again."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import tempfile
import threading
import wave
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.spoken_text import Part, parts

RATE = 165
"""Words a minute of both voices: unhurried, for a noisy hall. One for both: espeak may apply a new rate late."""

ANSWER_WITHIN_S = 10.0
STARTED_WITHIN_S = 30.0
CACHED_SENTENCES = 128
GAP_S = 0.08
ATTEMPTS = 4


class SynthesisError(Exception):
    """The synthesiser is not installed, or failed again and again on the same text."""


@dataclass(frozen=True)
class Sound:
    """Mono speech: int16 samples at ``rate_hz``."""

    samples: NDArray[np.int16]
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length [s]."""
        return len(self.samples) / self.rate_hz

    def louder(self, gain_db: float) -> Sound:
        """Return the sound at another level, limited to full scale."""
        scaled = np.clip(self.samples.astype(np.float64) * 10 ** (gain_db / 20), -32768, 32767)
        return Sound(scaled.astype(np.int16), self.rate_hz)

    def write(self, path: Path) -> None:
        """Write a WAV file."""
        with path.open("wb") as stream, wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate_hz)
            file.writeframes(self.samples.tobytes())


class Synthesiser:
    """Turns sentences into sound, one at a time, in the order they were submitted; fixed phrases come from a cache.

    Args:
        answer_within_s: a worker silent for longer is killed, and the sentence tried again.
        cached: how many sentences are remembered.
    """

    def __init__(self, answer_within_s: float = ANSWER_WITHIN_S, cached: int = CACHED_SENTENCES) -> None:
        self.restarts = 0
        self.repeats = 0
        self._answer_within_s = answer_within_s
        self._cached = cached
        self._worker: subprocess.Popen[bytes] | None = None
        self._fresh = True
        self._number = 0
        self._closed = False
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, Language | None], Sound] = OrderedDict()
        self._folder = tempfile.TemporaryDirectory(prefix="speech-")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="synthesis")

    def submit(self, sentence: str, language: Language | None = None) -> Future[Sound]:
        """Queue a sentence. Cancelling the future before its turn drops it; in its turn the result is just unused.

        Raises:
            InputError: there is nothing to say in it.
        """
        todo = parts(sentence, language)
        if not todo:
            raise InputError("text", "holds nothing that can be spoken")
        return self._thread.submit(self._synthesise, sentence, language, todo)

    def close(self) -> None:
        """End the worker process; sentences not yet begun are cancelled."""
        self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        with self._lock:
            return None if self._worker is None else self._worker.pid

    def _synthesise(self, sentence: str, language: Language | None, todo: Sequence[Part]) -> Sound:
        key = (sentence, language)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        sound: Sound | None = None
        for attempt in range(ATTEMPTS):
            sound = self._ask_worker(todo)
            if sound is not None or self._closed:
                break
            if attempt > 0:  # silent twice: not chance any more
                self._kill()
        if sound is None:
            raise SynthesisError("the speech synthesiser does not answer")
        self._cache[key] = sound
        while len(self._cache) > self._cached:
            self._cache.popitem(last=False)
        return sound

    def _ask_worker(self, todo: Sequence[Part]) -> Sound | None:
        """Have one sentence synthesised; None when it came without sound, or the worker had to be killed."""
        worker = self._started()
        self._number += 1
        paths = [Path(self._folder.name) / f"{self._number}-{i}.wav" for i in range(len(todo))]
        job = {
            "id": self._number,
            "parts": [
                {"voice": p.voice, "text": p.text, "rate": RATE, "path": str(path)}
                for p, path in zip(todo, paths, strict=True)
            ],
        }
        assert worker.stdin is not None
        try:
            worker.stdin.write(json.dumps(job).encode() + b"\n")
            worker.stdin.flush()
            answer = self._answer(worker)
        except (BrokenPipeError, OSError):
            answer = None
        if answer is None:
            self._kill()
            self.restarts += 1
            return None
        self._fresh = False
        if answer["error"]:
            raise SynthesisError(str(answer["error"]))
        sounds = []
        for path in paths:
            sounds.append(_read(path))
            path.unlink()
        if not all(len(sound.samples) for sound in sounds):
            self.repeats += 1
            return None
        gap = np.zeros(round(GAP_S * sounds[0].rate_hz), np.int16)
        pieces = [piece for sound in sounds for piece in (sound.samples, gap)]
        return Sound(np.concatenate(pieces[:-1]), sounds[0].rate_hz)

    def _answer(self, worker: subprocess.Popen[bytes]) -> dict[str, object] | None:
        assert worker.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            if not selector.select(STARTED_WITHIN_S if self._fresh else self._answer_within_s):
                return None
        line = worker.stdout.readline()
        answer: dict[str, object] | None = json.loads(line) if line else None
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._worker is None or self._worker.poll() is not None:
                self._worker = subprocess.Popen(
                    [sys.executable, "-m", "inspection_robot.voice.synthesis_worker"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )  # fmt: skip
                self._fresh = True
            return self._worker

    def _kill(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # what was still to be sent to a dead worker
                        pipe.close()


def _read(path: Path) -> Sound:
    try:
        with wave.open(str(path), "rb") as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            return Sound(samples, file.getframerate())
    except (OSError, EOFError, wave.Error) as error:
        raise SynthesisError(f"no sound was made: {error}") from None
