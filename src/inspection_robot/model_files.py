"""Model files: where they are looked for, and the third-party ones' manifest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share


@dataclass(frozen=True)
class ThirdPartyModel:
    """One entry of ``models/manifest.yaml``.

    ``sha256`` is None where the publisher names no digest; ``unpack`` is the folder inside an archive.
    """

    name: str
    use: str
    address: str
    licence: str
    sha256: str | None
    bytes: int | None
    unpack: str | None = None

    @property
    def installed_name(self) -> str:
        """Name under which the nodes ask for it."""
        return self.unpack or self.name


def folders() -> list[Path]:
    """Return the folders searched for models, in order: ``$INSPECTION_MODELS``, ``models/``, ``models/cache/``."""
    ours = share() / "models"
    chosen = os.environ.get("INSPECTION_MODELS")
    return [*([Path(chosen)] if chosen else []), ours, ours / "cache"]


def find(name: str) -> Path:
    """Return the path of the model file or folder ``name``.

    Raises:
        InputError: it is in none of the model folders; the message says how to get it.
    """
    for folder in folders():
        if (folder / name).exists():
            return folder / name
    fetchable = any(model.installed_name == name for model in manifest())
    remedy = "run `./robot models fetch`" if fetchable else "it should be in models/"
    raise InputError(name, f"model not found; {remedy}, or set INSPECTION_MODELS to its folder")


def manifest() -> list[ThirdPartyModel]:
    """Read ``models/manifest.yaml``."""
    path = share() / "models" / "manifest.yaml"
    return [ThirdPartyModel(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
