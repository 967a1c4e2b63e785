"""Where the files beside the code lie: configuration, texts, models, launch files, worlds."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


@cache
def share() -> Path:
    """Return the folder that holds ``config/``, ``models/``, ``launch/`` and ``sim/``.

    In order: ``$INSPECTION_SHARE``, the checkout this code runs from, the installed package's share folder.

    Raises:
        FileNotFoundError: none of them exists.
    """
    candidates = [_CHECKOUT, Path(sys.prefix) / "share" / "inspection_robot"]
    candidates += [
        Path(p) / "share" / "inspection_robot" for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p
    ]
    if chosen := os.environ.get("INSPECTION_SHARE"):
        candidates.insert(0, Path(chosen))
    for candidate in candidates:
        if (candidate / "config").is_dir() and (candidate / "launch").is_dir():
            return candidate
    raise FileNotFoundError(f"config/ and launch/ are in none of {', '.join(map(str, candidates))}")


def state() -> Path:
    """Return the folder for what must outlive a restart.

    ``$INSPECTION_STATE``, else ``var/`` of the checkout, else the one of the XDG convention.
    It is made on first use, readable by its owner only.
    """
    if chosen := os.environ.get("INSPECTION_STATE"):
        folder = Path(chosen)
    elif (_CHECKOUT / "robot").is_file():
        folder = _CHECKOUT / "var"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "inspection_robot"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
