"""Players of sound that can be stopped at once."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Protocol

from inspection_robot.voice.synthesis import Sound

CAPTIONS_ONLY = "captions only"


class Playback(Protocol):
    """A sound being played."""

    def wait(self) -> bool:
        """Wait for the end; whether it played to the end."""
        ...

    def stop(self) -> None:
        """Fall silent at once; may be called from any thread, and more than once."""
        ...

    @property
    def fault(self) -> str:
        """Why it did not play to the end, when nobody stopped it."""
        ...


class Player(Protocol):
    """Plays one sound at a time."""

    @property
    def name(self) -> str:
        """What it plays through."""
        ...

    def play(self, sound: Sound) -> Playback:
        """Start to play."""
        ...


class CaptionPlayer:
    """Stands in where there is no sound card: silent, and takes as long as the sound would, so that captions keep time.

    Args:
        speed: how many times faster than real.
    """

    name = CAPTIONS_ONLY

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def play(self, sound: Sound) -> Playback:
        """Start."""
        return _Silence(sound.duration_s / self._speed)


class _Silence:
    fault = ""

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
        self.fault = ""
        self._folder = tempfile.TemporaryDirectory(prefix="play-")
        path = Path(self._folder.name) / "speech.wav"
        sound.write(path)
        self._process = subprocess.Popen([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def wait(self) -> bool:
        _, errors = self._process.communicate()
        self._folder.cleanup()
        lines = errors.decode(errors="replace").strip().splitlines()
        if self._process.returncode > 0:
            self.fault = lines[-1] if lines else f"it ended with status {self._process.returncode}"
        return self._process.returncode == 0

    def stop(self) -> None:
        self._process.kill()


class SystemPlayer:
    """Plays through ALSA while ``aplay`` and a sound card are there, else captions only: a card may come and go.

    Args:
        device: ALSA device; the default one when empty.
        cards: where the kernel lists its sound cards.
    """

    def __init__(self, device: str = "", cards: Path = Path("/proc/asound/cards")) -> None:
        self._device, self._cards = device, cards
        self._alsa, self._captions = AlsaPlayer(device), CaptionPlayer()

    @property
    def name(self) -> str:
        """What it would play through now."""
        return self._present().name

    @property
    def missing(self) -> str:
        """Why nothing would be heard now; empty when it would."""
        if shutil.which("aplay") is None:
            return "aplay is not installed"
        present = self._cards.exists() and "no soundcards" not in self._cards.read_text()
        return "" if present or self._device else "there is no sound card"

    def play(self, sound: Sound) -> Playback:
        """Start."""
        return self._present().play(sound)

    def _present(self) -> AlsaPlayer | CaptionPlayer:
        return self._captions if self.missing else self._alsa
