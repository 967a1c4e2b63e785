"""`./robot ask TEXT`: answer typed questions from the knowledge base; several are one conversation."""

from __future__ import annotations

import argparse
from typing import Any

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.voice.knowledge import LANGUAGES, Language
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.retrieval import Retriever, load_retriever
from inspection_robot.voice.text import clean, language_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "questions", nargs="+", metavar="TEXT", help="a question; a later one may lean on the one before"
    )
    parser.add_argument("--language", choices=LANGUAGES, help="of the questions (default: by their script)")
    parser.add_argument("--json", action="store_true", help="one JSON object a question")


def run(arguments: argparse.Namespace) -> int:
    """Answer each question."""
    wanted = arguments.language
    languages = [wanted] if wanted else [k for k in LANGUAGES if any(_language(q) == k for q in arguments.questions)]
    retriever = load_retriever(languages or ["en"])
    phrases = Phrases()
    before: dict[Language, str] = {}

    def answer(question: str) -> None:
        if not clean(question):
            raise InputError("question", "is empty")
        result = reply(retriever, phrases, question, wanted or _language(question), before)
        if arguments.json:
            print_json(result)
        else:
            print(result["answer"])
            for source in result["sources"]:
                print(f"  — {source}")

    return for_each("ask", arguments.questions, answer)


def reply(
    retriever: Retriever, phrases: Phrases, question: str, language: Language, before: dict[Language, str]
) -> dict[str, Any]:
    """Return the answer in the contract's form; ``before`` holds the last question of each language."""
    found = retriever.find(question, language, before.get(language))
    before[language] = f"{before.get(language, '')} {question}" if found.in_context else question
    refused = found.refused or found.entry is None
    return {
        "language": found.language,
        "refused": refused,
        "answer_id": None if refused or found.entry is None else found.entry.id,
        "answer": phrases.text("refused", language)
        if refused or found.entry is None
        else found.entry.wording(language).answer,
        "score": round(found.probability, 4),
        "sources": [] if refused or found.entry is None else retriever.base.citations(found.entry, language),
    }


def _language(question: str) -> Language:
    return "zh" if language_of(clean(question)) == "zh" else "en"
