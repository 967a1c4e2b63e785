"""Speech to text in both languages at once, and the choice between them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.model_files import find
from inspection_robot.voice.knowledge import KnowledgeBase, Language
from inspection_robot.voice.recognition_worker import UNKNOWN
from inspection_robot.voice.vad import RATE_HZ

MODELS: Mapping[Language, str] = {"en": "vosk-model-small-en-us-0.15", "zh": "vosk-model-small-cn-0.22"}
"""Official models, fetched by ``./robot models fetch``."""

LOADED_WITHIN_S = 60.0
FINAL_WITHIN_S = 10.0
SAME_LANGUAGE_BONUS = 0.1
"""What the language of the conversation so far is worth, in score."""

GRAMMAR_BONUS = 0.1
"""How much better than the open pass's the grammar pass's text counts: it is what people ask here."""

LEAST_SCORE = 0.35
"""Below this no language was understood."""


@dataclass(frozen=True)
class Word:
    """A recognised word with its times from the start of the utterance [s] and confidence 0..1."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class Hypothesis:
    """What one recogniser heard.

    Attributes:
        words: recognised words; unknown ones are left out.
        score: mean confidence over the time of the words, unknown ones counting zero, times the share of the speech
            that words cover, 0..1.
        by_grammar: the pass bound to the known questions was the better one.
    """

    language: Language
    words: tuple[Word, ...]
    score: float
    by_grammar: bool = False

    @property
    def text(self) -> str:
        """The words, in Chinese without spaces."""
        return ("" if self.language == "zh" else " ").join(word.text for word in self.words)


@dataclass(frozen=True)
class Transcript:
    """The better of the hypotheses; ``language`` is ``und`` and the text empty when nothing was understood."""

    language: str
    text: str
    confidence: float
    words: tuple[Word, ...]
    by_grammar: bool
    others: tuple[Hypothesis, ...]


def hypothesis(
    language: Language, words: Sequence[Mapping[str, Any]], speech_s: float, by_grammar: bool = False
) -> Hypothesis:
    """Score recognised words (vosk's form: word, start, end, conf) against the length of the speech."""
    known = [w for w in words if w["word"] != UNKNOWN]
    total = sum(w["end"] - w["start"] for w in words)
    sure = sum((w["end"] - w["start"]) * w["conf"] for w in known)
    coverage = min(1.0, total / speech_s) if speech_s > 0 else 0.0
    score = sure / total * coverage if total > 0 else 0.0
    kept = tuple(Word(w["word"], float(w["start"]), float(w["end"]), float(w["conf"])) for w in known)
    return Hypothesis(language, kept, float(score), by_grammar)


def better_pass(free: Hypothesis, bound: Hypothesis | None) -> Hypothesis:
    """Choose between the open pass and the one bound to the grammar.

    A grammar never refuses by itself: it is believed only when the open pass was about as sure of what it heard.
    """
    if bound is None or not bound.words:
        return free
    return bound if bound.score + GRAMMAR_BONUS >= free.score and free.score > 0.5 * bound.score else free


def choose(hypotheses: Sequence[Hypothesis], before: Language | None = None) -> Transcript:
    """Choose the language by score; that of the conversation so far has a bonus."""
    ranked = sorted(hypotheses, key=lambda h: h.score + SAME_LANGUAGE_BONUS * (h.language == before), reverse=True)
    if not ranked or not ranked[0].words or ranked[0].score < LEAST_SCORE:
        return Transcript("und", "", max((h.score for h in ranked), default=0.0), (), False, tuple(ranked))
    best = ranked[0]
    return Transcript(best.language, best.text, best.score, best.words, best.by_grammar, tuple(ranked[1:]))


def installed_models(given: Mapping[Language, Path]) -> dict[Language, Path]:
    """Return the folders of the speech models: those given, else the official ones that are installed."""
    found: dict[Language, Path] = dict(given)
    for language, name in MODELS.items():
        if language not in found:
            try:
                found[language] = find(name)
            except InputError:
                continue
    return found


def folders(model_en: str, model_zh: str) -> dict[Language, Path]:
    """Return the folders of models that parameters name; relative ones are of this installation."""
    given: tuple[tuple[Language, str], ...] = (("en", model_en), ("zh", model_zh))
    return {language: share() / folder for language, folder in given if folder}


class _Process:
    """The parent's side of a recogniser process."""

    def __init__(self, language: Language, folder: Path, phrases: Path) -> None:
        self.language = language
        self._answers: Queue[dict[str, Any] | None] = Queue()
        self.on_partial: Callable[[Language, str], None] = lambda *_: None
        self._utterance = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inspection_robot.voice.recognition_worker", str(folder), language, str(phrases)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        threading.Thread(target=self._listen, name=f"recogniser {language}", daemon=True).start()

    def ready(self) -> str:
        """Wait for the model; returns the fault, empty when it is loaded."""
        answer = self._take(LOADED_WITHIN_S)
        if answer is None:
            return "the recogniser process ended, or took too long to load its model"
        return "" if answer["ready"] else str(answer["error"])

    def send(self, job: Mapping[str, Any], data: bytes = b"") -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n" + data)
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # the missing answer tells

    def ask_final(self) -> None:
        self._utterance += 1
        self.send({"do": "end", "utterance": self._utterance})

    def final(self) -> dict[str, Any] | None:
        while (answer := self._take(FINAL_WITHIN_S)) is not None:
            if answer["utterance"] == self._utterance:
                final: dict[str, Any] = answer["final"]
                return final
        return None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _take(self, within_s: float) -> dict[str, Any] | None:
        try:
            return self._answers.get(timeout=within_s)
        except Empty:
            return None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                answer = json.loads(line)
                if "partial" in answer:
                    self.on_partial(self.language, answer["partial"])
                else:
                    self._answers.put(answer)
        self._answers.put(None)


class Recogniser:
    """Hears one utterance at a time with all models in parallel.

    Args:
        models: folder of each language's vosk model.
        phrases: questions of each language for the grammar pass.
        on_partial: called with a language and its text so far, from threads of the recogniser.

    Raises:
        InputError: a model does not load.
    """

    def __init__(
        self,
        models: Mapping[Language, Path],
        phrases: Mapping[Language, Sequence[str]] | None = None,
        on_partial: Callable[[Language, str], None] = lambda *_: None,
    ) -> None:
        self._models, self._on_partial = dict(models), on_partial
        self._folder = tempfile.TemporaryDirectory(prefix="phrases-")
        self._processes: dict[Language, _Process] = {}
        for language in models:
            path = Path(self._folder.name) / language
            path.write_text("\n".join((phrases or {}).get(language, ())), encoding="utf-8")
        try:
            for language in models:
                self._start(language)
            for process in self._processes.values():
                self._check(process)
        except InputError:
            self.close()
            raise
        self._samples = 0

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages that are heard."""
        return tuple(self._models)

    def begin(self) -> None:
        """Start an utterance."""
        self._samples = 0
        for process in self._processes.values():
            process.send({"do": "begin"})

    def feed(self, audio: NDArray[np.int16]) -> None:
        """Hear more of it."""
        self._samples += len(audio)
        data = audio.astype("<i2").tobytes()
        for process in self._processes.values():
            process.send({"do": "audio", "bytes": len(data)}, data)

    def end(self, before: Language | None = None, silence_s: float = 0.0) -> Transcript:
        """End it and choose the language.

        Args:
            before: language of the conversation so far.
            silence_s: how much of the audio is silence before and after the speech.

        Raises:
            InputError: a recogniser process died; it has been started again.
        """
        for process in self._processes.values():
            process.ask_final()
        found, dead = [], []
        speech_s = max(0.0, self._samples / RATE_HZ - silence_s)
        for language, process in self._processes.items():
            final = process.final()
            if final is None:
                dead.append(language)
                continue
            free = hypothesis(language, final["words"], speech_s)
            grammar = final["grammar"]
            bound = None if grammar is None else hypothesis(language, grammar, speech_s, by_grammar=True)
            found.append(better_pass(free, bound))
        for language in dead:
            self._processes[language].close()
            self._start(language)
            self._check(self._processes[language])
        if dead:
            raise InputError(f"recogniser {', '.join(dead)}", "died in mid-sentence and was started again")
        return choose(found, before)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.close()
        self._folder.cleanup()

    def _start(self, language: Language) -> None:
        process = _Process(language, self._models[language], Path(self._folder.name) / language)
        process.on_partial = self._on_partial
        self._processes[language] = process

    def _check(self, process: _Process) -> None:
        fault = process.ready()
        if fault:
            raise InputError(f"speech model {self._models[process.language]}", fault)


def grammar_phrases(base: KnowledgeBase) -> dict[Language, list[str]]:
    """Return the questions of the knowledge base as plain words, for the grammar pass."""
    result: dict[Language, list[str]] = {}
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        texts = [
            t for e in base.entries.values() for t in (e.wording(language).question, *e.wording(language).paraphrases)
        ]
        result[language] = [" ".join("".join(c if c.isalnum() or c == "'" else " " for c in t).split()) for t in texts]
    return result
