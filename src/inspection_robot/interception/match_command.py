"""`./robot match NAME --list FILE.csv`: which entries of a list a name may be."""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.interception.grades import grade_of_hit
from inspection_robot.interception.name_index import NameIndex

MAXIMUM_BYTES = 256 * 2**20


@dataclass(frozen=True)
class ListedName:
    """A line of the list."""

    identifier: str
    name: str
    birth_date: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="a name in any script and order")
    parser.add_argument("--list", required=True, type=Path, metavar="FILE.csv", help="columns name[, id, birth_date]")
    parser.add_argument("--birth-date", default="", metavar="YYYY-MM-DD", help="of the person asked for")
    parser.add_argument("--limit", type=int, default=10, help="candidates a name")
    parser.add_argument("--minimum-score", type=float, default=0.3)
    parser.add_argument("--json", action="store_true", help="JSON lines (the only form there is)")


def run(arguments: argparse.Namespace) -> int:
    """Print one JSON object a name."""
    listed = read_list(arguments.list)
    index = NameIndex([entry.name for entry in listed])

    def process(name: str) -> None:
        if not any(character.isalnum() for character in name):
            raise InputError("NAME", "holds no letter")
        candidates = []
        for candidate in index.search(name, limit=max(1, arguments.limit)):
            if candidate.probability < arguments.minimum_score:
                continue
            entry = listed[candidate.position]
            same_birth = bool(arguments.birth_date) and arguments.birth_date == entry.birth_date
            grade = grade_of_hit(False, False, same_birth, candidate.probability)
            candidates.append(
                {
                    "id": entry.identifier,
                    "name": entry.name,
                    "score": round(candidate.probability, 4),
                    "grade": None if grade is None else grade.value,
                }
            )
        print_json({"query": name, "candidates": candidates})

    return for_each("match", arguments.names, process)


def read_list(path: Path) -> list[ListedName]:
    """Read a list of names.

    Raises:
        InputError: missing, too large, not UTF-8, without a column `name`, or empty.
    """
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise InputError(path, f"larger than {MAXIMUM_BYTES // 2**20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "not UTF-8 text") from error
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = {column.strip().lower(): column for column in reader.fieldnames or () if column}
        if "name" not in columns:
            raise InputError(path, "has no column `name`")
        listed = []
        for number, row in enumerate(reader, 1):
            values = {key: (row.get(column) or "").strip() for key, column in columns.items()}
            if values["name"]:
                identifier = values.get("id") or str(number)
                listed.append(ListedName(identifier, values["name"], values.get("birth_date", "")))
    except csv.Error as error:
        raise InputError(path, f"line {reader.line_num}: {error}") from error
    if not listed:
        raise InputError(path, "holds no names")
    return listed
