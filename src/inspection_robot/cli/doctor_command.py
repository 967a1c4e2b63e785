"""`./robot doctor`: what is installed, plugged in and reachable, and what to do about what is not."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import serial.tools.list_ports
from defusedxml import ElementTree

from inspection_contract.errors import InputError
from inspection_contract.resources import share, state
from inspection_robot.cli.inputs import print_json
from inspection_robot.model_files import find, manifest

# The largest picture we publish (640×512 mono16) must fit FastDDS's shared-memory segment several times.
NEEDED_SEGMENT_BYTES = 16 * 2**20
NEEDED_DISK_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the examination: ``ok``, ``absent`` (works without) or ``fault`` (must be mended)."""

    part: str
    state: str
    detail: str
    remedy: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--port", type=int, default=8080, help="port that the console wants (default 8080)")


def run(arguments: argparse.Namespace) -> int:
    """Print the examination; 1 when something must be mended."""
    findings = list(examine(arguments.port))
    for finding in findings:
        if arguments.json:
            print_json(asdict(finding))
        else:
            print(f"{finding.state:7} {finding.part:22} {finding.detail}")
            if finding.remedy:
                print(f"{'':31}→ {finding.remedy}")
    return 1 if any(finding.state == "fault" for finding in findings) else 0


def examine(port: int) -> Iterator[Finding]:
    """Look at everything the robot needs, one finding each."""
    yield Finding("Python", "ok", sys.version.split()[0])
    yield from _packages()
    yield _ros()
    yield _shared_memory()
    yield from _programs()
    yield from _models()
    yield from _devices()
    yield _port(port)
    yield _disk()


def _packages() -> Iterator[Finding]:
    wanted = ("numpy", "opencv-python", "onnxruntime", "pyserial", "vosk", "pyttsx3", "fastapi", "mujoco")
    for name in wanted:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "fault", "not installed", "./robot setup")


def _ros() -> Finding:
    try:
        # By name: only nodes may import ROS statically.
        for module in ("rclpy", "inspection_interfaces.msg"):
            importlib.import_module(module)
    except ImportError as error:
        return Finding("ROS 2", "fault", str(error), "./robot setup")
    origin = "installed system" if Path("/opt/ros/jazzy").is_dir() else "PyPI wheels"
    return Finding("ROS 2", "ok", f"{os.environ.get('ROS_DISTRO', '?')} from {origin}; rclpy and our interfaces import")


def _shared_memory() -> Finding:
    profiles = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE", "")
    remedy = "start with ./robot, or set FASTRTPS_DEFAULT_PROFILES_FILE to config/fastdds.xml"
    if not profiles or not Path(profiles).is_file():
        return Finding("FastDDS segment", "fault", "no profiles file: large pictures get lost silently", remedy)
    sizes = [int(e.text or 0) for e in ElementTree.parse(profiles).iter() if e.tag.rpartition("}")[2] == "segment_size"]
    if not sizes or max(sizes) < NEEDED_SEGMENT_BYTES:
        return Finding("FastDDS segment", "fault", f"{profiles} sets no segment of 16 MB", remedy)
    return Finding("FastDDS segment", "ok", f"{max(sizes) // 2**20} MB")


def _programs() -> Iterator[Finding]:
    programs = {
        "espeak-ng": ("speech", "apt-get install espeak-ng"),
        "aplay": ("sound output; without it captions only", "apt-get install alsa-utils"),
        "colcon": ("building ros2_ws", "./robot setup"),
        "rviz2": ("operator's display", "apt-get install ros-jazzy-rviz2"),
        "gz": ("Gazebo", "apt-get install gz-harmonic"),
        "psql": ("PostgreSQL for a large center; SQLite is the default", "apt-get install postgresql"),
    }
    needed = {"espeak-ng", "colcon"}
    for name, (use, remedy) in programs.items():
        place = shutil.which(name)
        missing = "fault" if name in needed else "absent"
        yield Finding(name, "ok" if place else missing, place or use, "" if place else remedy)


def _models() -> Iterator[Finding]:
    for model in manifest():
        try:
            yield Finding("model", "ok", str(find(model.installed_name)))
        except InputError:
            yield Finding("model", "absent", f"{model.installed_name}: {model.use}", "./robot models fetch")


def _devices() -> Iterator[Finding]:
    ports = sorted(serial.tools.list_ports.comports())
    for port in ports:
        yield Finding("serial port", "ok", f"{port.device} {port.description}")
    if not ports:
        yield Finding("serial port", "absent", "no detector or sensor board", "plug it in, or --profile sim")
    cameras = sorted(Path("/sys/class/video4linux").glob("video*"))
    for camera in cameras:
        yield Finding("camera", "ok", f"/dev/{camera.name} {(camera / 'name').read_text().strip()}")
    if not cameras:
        yield Finding("camera", "absent", "no V4L2 camera", "plug it in, or --profile sim")


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding(
                f"port {port}", "absent", error.strerror or "in use", "the console runs already; else --port"
            )
    return Finding(f"port {port}", "ok", "free for the console")


def _disk() -> Finding:
    free = shutil.disk_usage(state()).free
    detail = f"{free / 2**30:.1f} GiB free in {state()}"
    if free < NEEDED_DISK_BYTES:
        return Finding("disk", "fault", detail, "free some, or set INSPECTION_STATE to a larger disk")
    return Finding("disk", "ok", f"{detail}; files from {share()}")
