"""The one process that holds pyttsx3: reads jobs as JSON lines, writes one WAV file a part, answers with JSON lines.

pyttsx3 must not be stopped from another thread (the next run hangs), must not queue two files (the first is lost) and
must not be given empty text (it asserts). Alone in a process, one file at a time, it is reliable, and can be killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve jobs until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # pyttsx3 prints what it saves
    engine = _engine()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            for part in job["parts"]:
                engine.setProperty("voice", part["voice"])
                engine.setProperty("rate", part["rate"])
                engine.save_to_file(part["text"], part["path"])
                engine.runAndWait()
            answer = {"id": job["id"], "error": None}
        except (RuntimeError, ValueError, AssertionError, OSError, KeyError) as error:
            answer = {"id": job["id"], "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _engine() -> Any:
    """Return pyttsx3's engine over espeak-ng, with one mistake of its driver undone.

    The driver looks at a call's events before it keeps the call's sound: when the sound's last piece comes together
    with the end, which happens under load, that piece is lost, for a short sentence all of it.
    """
    import pyttsx3
    from pyttsx3.drivers.espeak import EspeakDriver

    handle_events = EspeakDriver._onSynth

    def keep_sound_first(driver: Any, sound: Any, samples: int, events: Any) -> int:
        if samples > 0 and driver._speaking:
            driver._data_buffer += ctypes.string_at(sound, samples * ctypes.sizeof(ctypes.c_short))
        return int(handle_events(driver, sound, 0, events))

    EspeakDriver._onSynth = keep_sound_first
    return pyttsx3.init("espeak")


if __name__ == "__main__":
    main()
