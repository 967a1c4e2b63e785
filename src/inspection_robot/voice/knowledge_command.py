"""`./robot knowledge check|list|calibrate`: validate the knowledge base, show it, fit the refusal model to it."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from inspection_contract.resources import share
from inspection_robot.cli.inputs import print_json
from inspection_robot.voice.knowledge import LANGUAGES, findings, load, subjects
from inspection_robot.voice.retrieval import build_index, calibrate, read_judges, write_judges


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=["check", "list", "calibrate"])
    parser.add_argument("--folder", type=Path, help="knowledge folder (default: this installation's)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action; 1 when the check has findings."""
    folder: Path = arguments.folder or share() / "config" / "knowledge"
    base = load(folder)
    if arguments.action == "list":
        for entry in base.entries.values():
            row: dict[str, object] = {
                "id": entry.id,
                "subject": entry.subject,
                "zh": entry.zh.question,
                "en": entry.en.question,
            }
            row |= {"sources": base.citations(entry, "en"), "last_checked": entry.last_checked.isoformat()}
            print_json(row) if arguments.json else print(f"{entry.id:28} {entry.zh.question}  {entry.en.question}")
        return 0
    if arguments.action == "calibrate":
        judges = {}
        for language in LANGUAGES:
            judges[language], figures = calibrate(build_index(base, language, folder))
            print_json({"language": language} | {name: round(value, 4) for name, value in figures.items()})
        write_judges(folder / "ranking.yaml", judges)
        return 0
    read_judges(folder / "ranking.yaml")
    problems = findings(base, date.today())
    checked = [s for s in base.sources.values() if s.checked_against == "published_copy"]
    figures = {
        "entries": len(base.entries), "sources": len(base.sources), "sources_checked_against_a_copy": len(checked),
        "paraphrases_zh": sum(len(e.zh.paraphrases) for e in base.entries.values()),
        "paraphrases_en": sum(len(e.en.paraphrases) for e in base.entries.values()),
    }  # fmt: skip
    if arguments.json:
        print_json(figures | {"subjects": subjects(base.entries.values()), "findings": problems})
    else:
        print(", ".join(f"{value} {name.replace('_', ' ')}" for name, value in figures.items()))
        print("\n".join(problems) if problems else "no findings")
    return 1 if problems else 0
