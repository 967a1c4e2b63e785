"""Audio files and microphones as 16 kHz mono samples, with what is wrong with them named."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.voice.vad import RATE_HZ

Samples = NDArray[np.int16]

LOWEST_RATE_HZ = 8000
LONGEST_FILE_S = 600.0
CLIPPED_SHARE = 0.01
SILENT_DBFS = -75.0


@dataclass(frozen=True)
class Level:
    """Loudness of a stretch of audio: root mean square re full scale [dB], and the share of clipped samples."""

    dbfs: float
    clipped: float

    @property
    def fault(self) -> str:
        """What is wrong with it, in one word: silent, clipped, or nothing."""
        if self.dbfs < SILENT_DBFS:
            return "silent"
        return "clipped" if self.clipped > CLIPPED_SHARE else ""


def level(samples: Samples) -> Level:
    """Measure loudness and clipping."""
    if not len(samples):
        return Level(-np.inf, 0.0)
    scaled = samples.astype(np.float64) / 32768
    power = float(np.mean(scaled**2))
    return Level(10 * np.log10(power) if power > 0 else -np.inf, float(np.mean(np.abs(scaled) >= 0.999)))


def resample(samples: Samples, rate_hz: int) -> Samples:
    """Return samples at 16 kHz.

    Raises:
        InputError: the rate is below 8 kHz: speech above 3 kHz is missing, and recognisers refuse it.
    """
    if rate_hz < LOWEST_RATE_HZ:
        raise InputError(f"{rate_hz} Hz audio", f"the lowest rate is {LOWEST_RATE_HZ} Hz")
    if rate_hz == RATE_HZ:
        return samples
    from scipy.signal import resample_poly  # two seconds of start-up that the robot's own microphone never needs

    divisor = int(np.gcd(rate_hz, RATE_HZ))
    resampled = resample_poly(samples.astype(np.float64), RATE_HZ // divisor, rate_hz // divisor)
    limited: Samples = np.clip(resampled, -32768, 32767).astype(np.int16)
    return limited


def read_wav(path: Path) -> Samples:
    """Read a WAV file as 16 kHz mono; channels are averaged.

    Raises:
        InputError: missing, empty, no WAV, compressed, cut short, over ten minutes, or below 8 kHz.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate_hz, frames = (
                file.getnchannels(),
                file.getsampwidth(),
                file.getframerate(),
                file.getnframes(),
            )
            if frames / max(1, rate_hz) > LONGEST_FILE_S:
                raise InputError(path, f"is longer than {LONGEST_FILE_S:.0f} s")
            data = file.readframes(frames)
    except FileNotFoundError:
        raise InputError(path, "does not exist") from None
    except (OSError, EOFError, wave.Error, RuntimeError) as error:
        raise InputError(path, f"is not a readable WAV file: {error or 'it is empty'}") from None
    if not 1 <= channels <= 16 or width not in (1, 2, 3, 4):
        raise InputError(path, f"has {channels} channels of {8 * width} bits")
    if len(data) < frames * channels * width:
        raise InputError(path, "is cut short")
    if not data:
        raise InputError(path, "holds no sound")
    try:
        return resample(_decode(data, width).reshape(-1, channels).mean(axis=1).astype(np.int16), rate_hz)
    except InputError as error:
        raise InputError(path, f"{error.name}: {error.fault}") from None


def _decode(data: bytes, width: int) -> NDArray[np.float64]:
    """Samples of 8 (unsigned), 16, 24 or 32 bits on the scale of 16 bits."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) * 256
    if width == 3:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4").astype(np.float64) / 65536
    return np.frombuffer(data, f"<i{width}").astype(np.float64) / (1 if width == 2 else 65536)


class Microphone:
    """Sound from ALSA's ``arecord``, in a process of its own that is killed to stop.

    Args:
        device: ALSA device; the default one when empty.
        program: ``arecord``, or what takes its arguments.
    """

    def __init__(self, device: str = "", program: str = "arecord") -> None:
        self._command = [program, "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE_HZ)]
        self._command += ["-D", device] if device else []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def present(self) -> bool:
        """Whether the program is installed."""
        return shutil.which(self._command[0]) is not None

    def chunks(self, samples: int) -> Iterator[Samples]:
        """Give the sound in chunks until :meth:`close`.

        Raises:
            InputError: no recorder, no device, or it vanished.
        """
        if not self.present:
            raise InputError("microphone", f"{self._command[0]} is not installed")
        self._process = process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None and process.stderr is not None
        while data := process.stdout.read(2 * samples):
            yield np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        fault = process.stderr.read().decode(errors="replace").strip().splitlines()
        if self._process is not None:
            raise InputError("microphone", fault[-1] if fault else "the recording ended")

    def close(self) -> None:
        """Stop recording."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
