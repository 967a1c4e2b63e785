"""`./robot models list|fetch|check`: third-party models, with address, licence, digest and whether they are here."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import httpx
from rich.progress import DownloadColumn, Progress, TextColumn

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.model_files import ThirdPartyModel, digest, find, manifest


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("list", "fetch", "check"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all of models/manifest.yaml)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """List, fetch or check the chosen models; 1 when one is absent or damaged, 2 when a fetch failed."""
    models = {model.name: model for model in manifest()}
    for name in arguments.names:
        if name not in models:
            raise InputError(name, f"not in models/manifest.yaml; it names {', '.join(models)}")
    chosen = arguments.names or list(models)
    if arguments.action == "fetch":
        return for_each("models fetch", chosen, lambda name: _fetch(models[name]))
    damaged = 0
    for name in chosen:
        model = models[name]
        state, place = _state(model)
        damaged += state != "present"
        if arguments.json:
            print_json({**model.__dict__, "state": state, "path": str(place) if place else None})
        else:
            print(f"{state:8} {name:36} {model.licence:11} {model.use}")
            print(f"         {place or model.address}")
    return 1 if arguments.action == "check" and damaged else 0


def _state(model: ThirdPartyModel) -> tuple[str, Path | None]:
    """Return present, absent or damaged, and where it lies."""
    try:
        place = find(model.installed_name)
    except InputError:
        return "absent", None
    if place.is_file() and model.sha256 is not None and digest(place) != model.sha256:
        return "damaged", place
    return "present", place


def _fetch(model: ThirdPartyModel) -> None:
    """Download one model into the cache folder, check its digest, unpack an archive; atomic."""
    state, place = _state(model)
    if state == "present":
        print(f"present  {model.name}: {place}")
        return
    cache = share() / "models" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        download = Path(folder) / model.name
        _download(model, download)
        found = digest(download)
        if model.sha256 is not None and found != model.sha256:
            raise InputError(model.name, f"digest is {found}, the manifest says {model.sha256}; nothing was installed")
        installed = download
        if model.unpack is not None:
            installed = _unpack(download, model.unpack)
        target = cache / model.installed_name
        if target.is_dir():
            shutil.rmtree(target)
        installed.replace(target)
    if model.sha256 is None:
        with (cache / "SHA256SUMS").open("a", encoding="utf-8") as sums:
            sums.write(f"{found}  {model.name}\n")
        print(f"no digest is published for {model.name}; this fetch got {found}", file=sys.stderr)
    print(f"fetched  {model.name}: {target}")


def _download(model: ThirdPartyModel, target: Path) -> None:
    columns = (TextColumn("{task.description}"), DownloadColumn())
    try:
        with (
            httpx.stream("GET", model.address, follow_redirects=True, timeout=30.0) as response,
            Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as progress,
            target.open("wb") as file,
        ):
            response.raise_for_status()
            task = progress.add_task(model.name, total=model.bytes)
            for block in response.iter_bytes():
                file.write(block)
                progress.advance(task, len(block))
            os.fsync(file.fileno())
    except httpx.HTTPError as error:
        raise InputError(model.name, f"cannot be fetched from {model.address}: {error}") from error


def _unpack(archive: Path, folder: str) -> Path:
    """Unpack ``folder`` of a zip archive beside it; a member that leads outside is refused."""
    root = archive.parent.resolve()
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.namelist():
                if not (root / member).resolve().is_relative_to(root / folder):
                    raise InputError(archive.name, f"holds {member}, which leads outside {folder}")
            packed.extractall(root)
    except zipfile.BadZipFile as error:
        raise InputError(archive.name, "not a zip archive") from error
    return root / folder
