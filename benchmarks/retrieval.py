"""Answers found and refused, on questions that the knowledge base does not hold."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection_contract.errors import InputError
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.recognition_noise import character_error_rate, misheard
from inspection_robot.voice.retrieval import Retriever, load_retriever

OWN = Path(__file__).resolve().parent / "data" / "retrieval.jsonl"
CHARACTER_ERROR_RATE = 0.38
SEEDS = (1, 2, 3)


class Question(BaseModel):
    """A line of the file: ``answer_id`` (one or several that are right) is null when nothing answers it.

    ``recognised`` is the text as a recogniser heard it; without it, errors are made.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1)
    language: Language
    answer_id: str | list[str] | None
    recognised: str | None = None

    def right(self, answer: str) -> bool:
        """Whether ``answer`` is one of the right ones."""
        return answer in ([self.answer_id] if isinstance(self.answer_id, str) else self.answer_id or [])


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, default=OWN, help="JSON lines: text, language, answer_id or null")
    parser.add_argument("--misses", action="store_true", help="print what went wrong on stderr")


def read(path: Path) -> list[Question]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"cannot be read: {error}") from None
    questions = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                questions.append(Question.model_validate(json.loads(line)))
            except (ValidationError, json.JSONDecodeError) as error:
                raise InputError(path, f"line {number}: {str(error).splitlines()[0]}") from None
    if not questions:
        raise InputError(path, "has no questions")
    return questions


def run(arguments: argparse.Namespace) -> dict[str, Any]:

    questions = read(arguments.file)
    retriever = load_retriever()
    unknown = {q.answer_id for q in questions if isinstance(q.answer_id, str)} - set(retriever.base.entries)
    if unknown:
        raise InputError(arguments.file, f"no such entries: {', '.join(sorted(unknown))}")
    figures: dict[str, Any] = {}
    refused_on, refused_off = [], []
    for language in ("en", "zh"):
        on = [q for q in questions if q.language == language and q.answer_id is not None]
        off = [q for q in questions if q.language == language and q.answer_id is None]
        found = [retriever.find(q.text, language) for q in on]
        hits = [f.entry is not None and q.right(f.entry.id) for q, f in zip(on, found, strict=True)]
        off_found = [retriever.find(q.text, language) for q in off]
        figures |= {f"hit1_{language}": _mean(hits), f"n_{language}": len(on), f"n_off_topic_{language}": len(off)}
        figures[f"refused_on_topic_{language}"] = _mean([f.refused for f in found])
        figures[f"refused_off_topic_{language}"] = _mean([f.refused for f in off_found])
        refused_on += [f.refused for f in found]
        refused_off += [f.refused for f in off_found]
        if arguments.misses:
            for q, f, hit in zip(on, found, hits, strict=True):
                if not hit or f.refused:
                    name = f.entry.id if f.entry else "nothing"
                    print(f"{q.text} | {q.answer_id} → {name} {f.probability:.2f}", file=sys.stderr)
            for q, f in zip(off, off_found, strict=True):
                if not f.refused and f.entry:
                    print(f"{q.text} | off topic → {f.entry.id} {f.probability:.2f}", file=sys.stderr)
    figures |= {"refused_off_topic": _mean(refused_off), "refused_on_topic": _mean(refused_on)}
    return figures | _under_errors(retriever, [q for q in questions if q.language == "zh" and q.answer_id is not None])


def _under_errors(retriever: Retriever, questions: list[Question]) -> dict[str, Any]:
    hits, rates = [], []
    for seed in SEEDS:
        generator = np.random.default_rng(seed)
        for question in questions:
            heard = question.recognised or misheard(question.text, CHARACTER_ERROR_RATE, generator)
            entry = retriever.find(heard, "zh").entry
            hits.append(entry is not None and question.right(entry.id))
            rates.append(character_error_rate(question.text, heard))
    return {"hit1_zh_cer38": _mean(hits), "character_error_rate": _mean(rates)}


def _mean(values: list[Any]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
