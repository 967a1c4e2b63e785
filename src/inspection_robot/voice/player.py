"""Players of sound that can be stopped at once."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Protocol

from inspection_robot.voice.synthesis import Sound


class Playback(Protocol):
    """A sound being played."""

    def wait(self) -> bool:
        """Wait for the end; whether it played to the end."""
        ...

    def stop(self) -> None:
        """Fall silent at once; may be called from any thread, and more than once."""
        ...


class Player(Protocol):
    """Plays one sound at a time."""

    name: str

    def play(self, sound: Sound) -> Playback:
        """Start to play."""
        ...


class CaptionPlayer:
    """Stands in where there is no sound card: silent, and takes as long as the sound would, so that captions keep time.

    Args:
        speed: how many times faster than real.
    """

    name = "captions only"

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def play(self, sound: Sound) -> Playback:
        """Start."""
        return _Silence(sound.duration_s / self._speed)


class _Silence:
    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._stopped = threading.Event()

    def wait(self) -> bool:
        return not self._stopped.wait(self._duration_s)

    def stop(self) -> None:
        self._stopped.set()


class AlsaPlayer:
    """Plays through ALSA's ``aplay``, a process of its own that is killed to fall silent.

    Args:
        device: ALSA device; the default one when empty.
        program: ``aplay``, or what takes its arguments.
    """

    name = "aplay"

    def __init__(self, device: str = "", program: str = "aplay") -> None:
        self._command = [program, "-q", *(["-D", device] if device else [])]

    def play(self, sound: Sound) -> Playback:
        """Start the process."""
        return _Process(self._command, sound)


class _Process:
    def __init__(self, command: list[str], sound: Sound) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="play-")
        path = Path(self._folder.name) / "speech.wav"
        sound.write(path)
        self._process = subprocess.Popen([*command, str(path)], stderr=subprocess.DEVNULL)

    def wait(self) -> bool:
        status = self._process.wait()
        self._folder.cleanup()
        return status == 0

    def stop(self) -> None:
        self._process.kill()


def find_player(device: str = "") -> Player:
    """Return the player of this machine: ``aplay`` where it and a sound card are there, else captions only."""
    cards = Path("/proc/asound/cards")
    present = cards.exists() and "no soundcards" not in cards.read_text()
    if shutil.which("aplay") and (present or device):
        return AlsaPlayer(device)
    return CaptionPlayer()
