"""The one process that holds pyttsx3: reads jobs as JSON lines, writes one WAV file a part, answers with JSON lines.

pyttsx3 must not be stopped from another thread (the next run hangs), must not queue two files (the first is lost) and
must not be given empty text (it asserts). Alone in a process, one file at a time, it is reliable, and can be killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.002


def main() -> None:
    """Serve jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which closes our input
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # pyttsx3 prints what it saves
    engine, wait_until_written = _engine()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            for part in job["parts"]:
                engine.setProperty("voice", part["voice"])
                engine.setProperty("rate", part["rate"])
                engine.save_to_file(part["text"], part["path"])
                engine.runAndWait()
                wait_until_written()
            answer = {"id": job["id"], "error": None}
        except (RuntimeError, ValueError, AssertionError, OSError, KeyError) as error:
            answer = {"id": job["id"], "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _engine() -> tuple[Any, Callable[[], None]]:
    """Return pyttsx3's engine over espeak-ng, and a wait for its file to be complete.

    Two mistakes of the driver are made good. ``runAndWait`` comes back when espeak's thread has only begun, so the file
    may not be there, or not whole. And the driver looks at a call's events before it keeps the call's sound: what comes
    together with the end is lost, of a short sentence all of it. A third is left to the caller: about one text in a
    hundred ends without any sound, and has to be said again.
    """
    import pyttsx3
    from pyttsx3.drivers import _espeak
    from pyttsx3.drivers.espeak import EspeakDriver

    handle_events = EspeakDriver._onSynth
    drivers: list[Any] = []

    def keep_sound_first(driver: Any, sound: Any, samples: int, events: Any) -> int:
        drivers[:] = [driver]
        if samples > 0 and driver._speaking:
            driver._data_buffer += ctypes.string_at(sound, samples * ctypes.sizeof(ctypes.c_short))
        return int(handle_events(driver, sound, 0, events))

    def wait_until_written() -> None:
        while not drivers or drivers[0]._speaking:
            time.sleep(POLL_S)
        _espeak.Synchronize()
        drivers.clear()

    EspeakDriver._onSynth = keep_sound_first
    return pyttsx3.init("espeak"), wait_until_written


if __name__ == "__main__":
    main()
