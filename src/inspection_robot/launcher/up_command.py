"""`./robot up`: the stack as on the robot, from the same launch files that `ros2 launch` reads."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_contract.resources import share, state
from inspection_robot.launcher.launch_file import read
from inspection_robot.launcher.passed_checks import fingerprint, passed, remember
from inspection_robot.launcher.plan import NodeProcess, Plan
from inspection_robot.launcher.starting import Child, EntryPoint
from inspection_robot.launcher.supervise import Supervisor, show

OWN_PACKAGE = "inspection_robot"
PROFILES = {"real": "robot.launch.xml", "sim": "simulated_robot.launch.xml"}
KEPT_LOGS = 10
# Fast DDS 2 (Jazzy) reads the first, Fast DDS 3 the second.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--profile", choices=sorted(PROFILES), default="real", help="which launch file (default: real)")
    parser.add_argument("--launch-file", type=Path, metavar="FILE", help="another launch file")
    parser.add_argument("--robot-name", metavar="NAME", help="the robot's name and namespace (default: robot_1)")
    parser.add_argument("--params-file", type=Path, metavar="FILE", help="parameters above those of config/")
    parser.add_argument("--log-level", choices=["debug", "info", "warn", "error"], help="of all nodes (default: info)")
    parser.add_argument("--check", action="store_true", help="only check launch and parameter files")
    parser.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="launch arguments; --list-arguments")
    parser.add_argument("--list-arguments", action="store_true", help="print the launch arguments and end")


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then run until Ctrl-C."""
    path = arguments.launch_file or share() / "launch" / PROFILES[arguments.profile]
    plan = read(path, _given(arguments), find_share)
    if arguments.list_arguments:
        for argument in plan.arguments:
            default = "(required)" if argument.default is None else f"default: {argument.default or '(empty)'}"
            print(f"{argument.name:16} {argument.description}; {default}")
        return 0
    children = [_child(process) for process in plan.processes]
    if not children:
        raise InputError(path, "starts nothing")
    if not check_parameters(plan):
        return 2
    if arguments.check:
        return 0
    folder = _log_folder()
    show(f"robot up: {len(children)} processes, logs in {folder}")
    return asyncio.run(_run(children, folder))


async def _run(children: list[Child], folder: Path) -> int:
    return await Supervisor(children, folder, show).run()


def _given(arguments: argparse.Namespace) -> dict[str, str]:
    given = {}
    for word in arguments.arguments:
        name, separator, value = word.partition(":=")
        if not separator or not name.isidentifier():
            raise InputError(word, "is not NAME:=VALUE")
        given[name] = value
    if arguments.robot_name is not None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", arguments.robot_name):
            raise InputError(arguments.robot_name, "is no robot name: letters, digits and _, a letter first")
        given["namespace"] = arguments.robot_name
    if arguments.params_file is not None:
        if not arguments.params_file.is_file():
            raise InputError(arguments.params_file, "no such file")
        given["params_file"] = str(arguments.params_file.resolve())
    if arguments.log_level is not None:
        given["log_level"] = arguments.log_level
    return given


def find_share(package: str) -> Path:
    """Share folder of a ROS package; for our own, the folder this code runs with (a checkout needs no new build)."""
    if package == OWN_PACKAGE:
        return share()
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory(package))


def _child(process: object) -> Child:
    from inspection_robot.launcher.plan import PlainProcess

    profile = str(share() / "config" / "fastdds.xml")
    environment = dict(os.environ) | {name: os.environ.get(name, profile) for name in PROFILE_VARIABLES}
    if isinstance(process, PlainProcess):
        program = shutil.which(process.words[0])
        if program is None:
            raise InputError(process.where, f"program {process.words[0]} is not installed")
        command, entry = [program, *process.words[1:]], None
    else:
        assert isinstance(process, NodeProcess)
        command, entry = process.command(_executable(process)), _entry_point(process)
    return Child(
        process.name, command, environment | dict(process.environment), process.respawn, process.respawn_delay_s, entry
    )


def _executable(process: NodeProcess) -> Path:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        prefix = Path(get_package_prefix(process.package))
    except PackageNotFoundError as error:
        raise InputError(process.where, f"package {process.package} is not built: ./robot setup") from error
    program = prefix / "lib" / process.package / process.executable
    if not os.access(program, os.X_OK):
        raise InputError(process.where, f"{process.package} has no executable {process.executable}: ./robot setup")
    return program


def _entry_point(process: NodeProcess) -> EntryPoint | None:
    """The function behind an executable of our own package; None for other packages' programs."""
    if process.package != OWN_PACKAGE:
        return None
    for script in importlib.metadata.entry_points(group="console_scripts", name=process.executable):
        if script.dist is not None and script.dist.name.replace("-", "_") == OWN_PACKAGE:
            return EntryPoint(script.module, script.attr)
    return None


def check_parameters(plan: Plan) -> bool:
    """Check the parameters of our own nodes; prints one line for each mistake and returns whether there is none."""
    nodes = [
        {
            "module": f"{OWN_PACKAGE}.{process.executable}.node",
            "name": process.full_name,
            "where": process.where,
            "parameters": [str(item) if isinstance(item, Path) else item for item in process.parameters],
        }
        for process in plan.processes
        if isinstance(process, NodeProcess) and process.package == OWN_PACKAGE
    ]
    check = fingerprint(nodes)
    if passed(check):
        return True
    command = [sys.executable, "-m", "inspection_robot.launcher.check_parameters"]
    result = subprocess.run(command, input=json.dumps(nodes), stdout=subprocess.PIPE, text=True, check=False)
    for line in result.stdout.splitlines():
        print(f"robot up: {line}", file=sys.stderr)
    if result.returncode not in (0, 2):
        raise InputError("parameters", "could not be checked; the error is above")
    if result.returncode == 0:
        remember(check)
    return result.returncode == 0


def _log_folder() -> Path:
    """A new folder for this run's logs; of older ones the newest ten stay."""
    logs = state() / "log"
    folder = logs / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True, exist_ok=True)
    runs = sorted(path for path in logs.iterdir() if re.fullmatch(r"\d{8}T\d{6}Z", path.name))
    for old in runs[:-KEPT_LOGS]:
        shutil.rmtree(old, ignore_errors=True)
    return folder
