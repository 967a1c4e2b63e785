"""Errors that name what is wrong in one line."""

from __future__ import annotations

from pathlib import Path


class InputError(Exception):
    """An input that cannot be used: the file, device or value, and what is wrong with it.

    Commands print it as one line on standard error, go on with the other inputs and exit with 2.
    """

    def __init__(self, name: str | Path, fault: str) -> None:
        self.name = str(name)
        self.fault = " ".join(fault.split())
        super().__init__(f"{self.name}: {self.fault}")
