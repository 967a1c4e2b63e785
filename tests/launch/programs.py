"""Programs of our own that tests have forked."""

import os
import sys
import time


def report() -> None:
    """Say what it was given, and stay."""
    print("arguments", *sys.argv[1:], "group", os.getpgid(0) == os.getpid(), "color", os.environ.get("COLOR"))
    time.sleep(600)


def refuse() -> None:
    """End as a node with a wrong parameter does."""
    print("rate_hz: out of range", file=sys.stderr)
    sys.exit(2)


def fail() -> None:
    """End with an error."""
    raise ValueError("broken")
