"""The one process that holds pyttsx3: reads jobs as JSON lines, writes one WAV file a part, answers with JSON lines.

pyttsx3 must not be stopped from another thread (the next run hangs), must not queue two files (the first is lost) and
must not be given empty text (it asserts). Alone in a process, one file at a time, it is reliable, and can be killed.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve jobs until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # pyttsx3 prints what it saves
    import pyttsx3

    engine = pyttsx3.init("espeak")
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


if __name__ == "__main__":
    main()
