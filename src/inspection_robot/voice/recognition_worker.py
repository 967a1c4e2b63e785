"""One recogniser process: loads one vosk model, hears utterances on standard input, answers with JSON lines.

Input is a line of JSON, for ``audio`` followed by that many bytes of 16 kHz int16 samples. A process per language: both
hear the same speech at the same time, and a crash of the library costs one language for a moment, not the node.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

RATE_HZ = 16_000
UNKNOWN = "[unk]"
LONGEST_WORD = 8  # characters of a Chinese word in a model's vocabulary
REQUIRED = ("am/final.mdl", "conf/model.conf", "conf/mfcc.conf", "graph")


def known_phrases(phrases: Iterable[str], is_word: Any, by_character: bool) -> list[str]:
    """Return the phrases that a model's vocabulary can spell, their words separated by spaces.

    Words that a grammar names and the model lacks are dropped by vosk with only a warning, and the rest is then forced
    onto the audio, so a phrase with an unknown word is left out whole.

    Args:
        phrases: plain text.
        is_word: whether the model knows a word.
        by_character: the text has no spaces: cut it greedily into the longest known words.
    """
    result = []
    for phrase in phrases:
        words: list[str] = []
        for piece in phrase.lower().split():
            rest = piece
            while rest and by_character:
                length = next((n for n in range(min(LONGEST_WORD, len(rest)), 0, -1) if is_word(rest[:n])), 0)
                if length == 0:
                    break
                words.append(rest[:length])
                rest = rest[length:]
            if rest:
                words.append(rest)
        if words and all(map(is_word, words)):
            result.append(" ".join(words))
    return list(dict.fromkeys(result))


class Worker:
    """The recogniser of one language."""

    def __init__(self, folder: Path, language: str, phrases: list[str]) -> None:
        import vosk

        vosk.SetLogLevel(-1)
        missing = [name for name in REQUIRED if not (folder / name).exists()]
        if missing:
            raise FileNotFoundError(f"{folder} is no vosk model: {', '.join(missing)} is missing")
        self._vosk = vosk
        self._model = vosk.Model(str(folder))
        spelled = known_phrases(phrases, lambda w: self._model.vosk_model_find_word(w) >= 0, language == "zh")
        can_refuse = self._model.vosk_model_find_word(UNKNOWN) >= 0
        self._grammar = json.dumps([*spelled, *([UNKNOWN] if can_refuse else [])], ensure_ascii=False)
        self.phrases = len(spelled)
        self._open: Any = None
        self._bound: Any = None
        self._partial = ""
        self.begin()

    def begin(self) -> None:
        """Start an utterance: a pass over all words, and one bound to the grammar when it has phrases."""
        self._open = self._vosk.KaldiRecognizer(self._model, RATE_HZ)
        self._open.SetWords(True)
        self._bound = None
        if self.phrases:
            self._bound = self._vosk.KaldiRecognizer(self._model, RATE_HZ, self._grammar)
            self._bound.SetWords(True)
        self._texts: list[list[dict[str, Any]]] = [[], []]
        self._partial = ""

    def audio(self, data: bytes) -> str | None:
        """Hear more; returns the text so far when it has changed."""
        for place, recogniser in enumerate((self._open, self._bound)):
            if recogniser is not None and recogniser.AcceptWaveform(data):
                self._texts[place] += json.loads(recogniser.Result()).get("result", [])
        before = " ".join(word["word"] for word in self._texts[0])
        now = f"{before} {json.loads(self._open.PartialResult()).get('partial', '')}".strip()
        if now == self._partial:
            return None
        self._partial = now
        return now

    def end(self) -> dict[str, Any]:
        """End the utterance; returns the words of both passes."""
        for place, recogniser in enumerate((self._open, self._bound)):
            if recogniser is not None:
                self._texts[place] += json.loads(recogniser.FinalResult()).get("result", [])
        answer = {"words": self._texts[0], "grammar": self._texts[1] if self._bound is not None else None}
        self.begin()
        return answer


def main() -> None:
    """Serve until standard input ends. Arguments: model folder, language, file with one phrase a line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which closes our input
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value, ensure_ascii=False) + "\n")
        answers.flush()

    folder, language, phrases = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text(encoding="utf-8")
    try:
        worker = Worker(folder, language, phrases.splitlines())
    except Exception as error:  # noqa: BLE001 - vosk raises bare Exception("Failed to create a model")
        answer({"ready": False, "error": f"{error}"})
        return
    answer({"ready": True, "phrases": worker.phrases})
    stream: BinaryIO = sys.stdin.buffer
    while line := stream.readline():
        job = json.loads(line)
        if job["do"] == "audio":
            text = worker.audio(stream.read(job["bytes"]))
            if text is not None:
                answer({"partial": text})
        elif job["do"] == "begin":
            worker.begin()
        elif job["do"] == "end":
            answer({"final": worker.end(), "utterance": job["utterance"]})


if __name__ == "__main__":
    main()
