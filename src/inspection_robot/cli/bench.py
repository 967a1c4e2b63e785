"""`./robot bench NAME [DATA]`: run one benchmark of ``benchmarks/`` and print its figures as one flat JSON object."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import print_json

REPOSITORY = Path(__file__).resolve().parents[3]
BENCHMARKS = REPOSITORY / "benchmarks"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; what follows the benchmark's name is the benchmark's own."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="benchmark; without it, the list")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="its arguments (NAME --help)")


def run(arguments: argparse.Namespace) -> int:
    """List the benchmarks, or run one."""
    paths = {path.stem.replace("_", "-"): path for path in sorted(BENCHMARKS.glob("[a-z]*.py"))}
    if arguments.name is None:
        for name, path in paths.items():
            print(f"{name:16} {_first_line(path)}")
        return 0
    if arguments.name not in paths:
        raise InputError(f"bench {arguments.name}", f"no such benchmark; there are {', '.join(paths)}")
    module = _load(paths[arguments.name])
    parser = argparse.ArgumentParser(prog=f"./robot bench {arguments.name}", description=module.__doc__)
    module.configure(parser)
    figures = module.run(parser.parse_args(arguments.rest))
    print_json({**figures, "machine": machine(), "commit": commit()})
    return 0


def machine() -> str:
    """Processor model, number of usable cores and memory of this machine."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory_kb / 2**20:.0f} GiB"


def commit() -> str:
    """Commit of the working tree, with `+` when it has changes; empty outside git."""
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.stdout.strip()


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0]


def _load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"benchmarks.{path.stem}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module
