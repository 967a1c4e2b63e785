"""What the robot's microphone hears: room noise, and passengers who ask aloud through espeak-ng."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from inspection_sim.scenario import ROBOT
from inspection_sim.simulation import Simulation

RATE_HZ: Final = 16_000
BLOCK_S: Final = 0.1
NOISE: Final = 25.0
"""Standard deviation of the room's noise [counts of 16 bit]."""
NEAR_M: Final = 1.0
"""Distance at which speech has the amplitude of :data:`LOUDNESS`; farther it falls with the distance [m]."""
LOUDNESS: Final = 9000.0
"""Peak of speech at :data:`NEAR_M` [counts]."""
PAUSE_S: Final = 1.5
"""Silence before somebody begins to speak after coming near, and between two questions [s]."""


def synthesise(text: str, language: str) -> NDArray[np.float32]:
    """Return speech at 16 kHz, −1..1, shape (samples,).

    Debian's Mandarin voice reads tones as English digits; its pinyin voice with numbered tones does not (voice.md).

    Raises:
        RuntimeError: espeak-ng is missing or failed.
    """
    from scipy.signal import resample_poly  # a second of start-up that only scenarios with questions need

    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError("espeak-ng is not installed: passengers stay silent")
    words = " ".join(lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True)) if language == "zh" else text
    voice = "cmn-latn-pinyin" if language == "zh" else "en-us"
    done = subprocess.run([program, "-v", voice, "-s", "150", "--stdout", words], capture_output=True, check=False)
    if done.returncode != 0 or not done.stdout:
        raise RuntimeError(f"espeak-ng failed: {done.stderr.decode(errors='replace').strip()}")
    with wave.open(io.BytesIO(_sized(done.stdout))) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768.0
    common = gcd(RATE_HZ, rate)
    result: NDArray[np.float32] = resample_poly(samples, RATE_HZ // common, rate // common).astype(np.float32)
    return result


class Microphone:
    """Blocks of sound in simulated time; each planted question is asked once, by whoever is near the robot."""

    def __init__(self, simulation: Simulation) -> None:
        """Synthesise all questions of the scenario.

        Raises:
            RuntimeError: there are questions, but espeak-ng is missing.
        """
        self._simulation = simulation
        self._noise = np.random.default_rng([simulation.setting.seed, 7])
        self._waiting = [
            (p.id, q.within_m, synthesise(q.text, q.language))
            for p in simulation.setting.scenario.passengers
            for q in p.says
        ]
        self._playing: tuple[str, NDArray[np.float32], int] | None = None
        self._silent_until_s = 0.0

    def block(self) -> NDArray[np.int16]:
        """Return the next :data:`BLOCK_S` of sound, (1600,)."""
        count = round(RATE_HZ * BLOCK_S)
        sound = self._noise.normal(0.0, NOISE, count)
        near = {name: self._distance(x, y) for name, x, y, _ in self._simulation.people_present()}
        if self._playing is None:
            self._begin(near)
        if self._playing is not None and self._simulation.time_s >= self._silent_until_s:
            name, speech, at = self._playing
            part = speech[at : at + count]
            sound[: len(part)] += part * LOUDNESS * NEAR_M / max(near.get(name, 10.0), NEAR_M)
            self._playing = (name, speech, at + count)
            if at + count >= len(speech):
                self._playing = None
                self._silent_until_s = self._simulation.time_s + PAUSE_S
        return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)

    def _begin(self, near: dict[str, float]) -> None:
        for index, (name, within_m, speech) in enumerate(self._waiting):
            if near.get(name, np.inf) <= within_m and self._stands_at_robot(name):
                del self._waiting[index]
                self._playing = (name, speech, 0)
                self._silent_until_s = max(self._silent_until_s, self._simulation.time_s + PAUSE_S)
                return

    def _stands_at_robot(self, name: str) -> bool:
        """Tell whether somebody has come to the robot, or was not going to stop there at all."""
        itinerary = self._simulation.itinerary
        index = next(i for i, spec in enumerate(itinerary.people.specs) if spec.id == name)
        visits = any(stop.place == ROBOT for stop in itinerary.people.specs[index].stops)
        stop = itinerary.next_stop(index)
        return not visits or (stop is not None and stop.place == ROBOT)

    def _distance(self, x: float, y: float) -> float:
        robot = self._simulation.pose
        return float(np.hypot(x - robot[0], y - robot[1]))


def _sized(data: bytes) -> bytes:
    """Return a WAV file with the true lengths in its header: espeak-ng cannot know them when it writes to a pipe."""
    marker = data.find(b"data")
    body = len(data) - marker - 8
    return (
        data[:4]
        + (len(data) - 8).to_bytes(4, "little")
        + data[8 : marker + 4]
        + body.to_bytes(4, "little")
        + data[marker + 8 :]
    )
