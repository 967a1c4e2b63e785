"""`./robot decode IMAGE…`: codes and machine readable zones in pictures."""

from __future__ import annotations

import argparse
from typing import Any

from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.documents.codes import read_codes
from inspection_robot.documents.images import read_gray
from inspection_robot.documents.mrz import document_of
from inspection_robot.documents.mrz_reader import default_reader
from inspection_robot.documents.payloads import interpret


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("--no-mrz", action="store_true", help="codes only")
    parser.add_argument("--json", action="store_true", help="JSON lines (the only form there is)")


def run(arguments: argparse.Namespace) -> int:
    """Print one JSON object a picture."""
    return for_each("decode", arguments.images, lambda name: print_json(decode(name, mrz=not arguments.no_mrz)))


def decode(name: str, mrz: bool = True) -> dict[str, Any]:
    """What one picture says.

    Raises:
        InputError: the picture cannot be read.
    """
    picture = read_gray(name)
    codes = []
    for code in read_codes(picture):
        parsed = interpret(code)
        codes.append(
            {
                "format": code.format,
                "text": code.text,
                "checks": " ".join(filter(None, (code.checks, parsed.checks_text()))),
                "frames": 1,
                "kind": parsed.kind,
                "fields": dict(parsed.fields),
                "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in code.corners],
            }
        )
    result: dict[str, Any] = {"file": name, "codes": codes, "mrz": None}
    if mrz and (zone := default_reader().read(picture)) is not None:
        reading = zone.reading
        result["mrz"] = {
            "format": reading.mrz.layout.name,
            "lines": list(reading.mrz.lines),
            "fields": dict(reading.mrz.fields),
            "valid": reading.certain,
            "kind": document_of(reading.mrz).kind,
            "checks": dict(reading.mrz.checks),
            "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in zone.corners],
        }
    return result
