"""What commands over several inputs have in common: one bad input never costs the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from inspection_contract.errors import InputError


def for_each(command: str, inputs: Iterable[str], process: Callable[[str], None]) -> int:
    """Process every input; report an :class:`InputError` as one line on stderr and go on.

    Returns the exit status: 0, or 2 when an input was bad.
    """
    status = 0
    for name in inputs:
        try:
            process(name)
        except InputError as error:
            print(f"robot {command}: {error}", file=sys.stderr)
            status = 2
    return status


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line, at once."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False), flush=True)
