"""What a demo can show: a recording played into the robot, or a simulated scenario. Each knows its truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.demo.findings import StoredFinding, people_screened
from inspection_robot.demo.stack import ROBOT_NAME, RobotStart, Stack
from inspection_robot.thermal.sources.recording import open_recording

_SETTLE_S = 6.0
_LEPTON_HZ = 9.0
_SIMULATOR_TIMEOUT_S = 60.0
_AWAIT_ROBOT_S = 180.0


class Show(Protocol):
    """One thing to show."""

    title: str
    simulated_clock: bool
    duration_s: float

    def robot(self) -> RobotStart:
        """How the robot is started."""

    def before_robot(self, stack: Stack, /) -> None:
        """Start what the robot needs around it."""

    def prepare(self, stack: Stack, /) -> None:
        """Give the center what it knows beforehand."""

    def ended(self, stack: Stack, /) -> bool:
        """Whether nothing more will come."""

    def compare(self, findings: Sequence[StoredFinding], /) -> dict[str, Any]:
        """Found against the truth, for the report."""

    def table(self) -> str:
        """Found against the truth, for people; empty when there is no more to say."""


class RecordingShow:
    """A thermal recording played in real time through the thermal node.

    The truth, where known, is ``label_scanned`` of a ``manifest.json`` beside the recording: how many people were
    scanned while it was made.

    Raises:
        InputError: the file is no recording we can read.
    """

    simulated_clock = False

    def __init__(self, path: Path) -> None:
        recording = open_recording(path)
        times = [frame.time_s for frame in recording.frames()]
        self.title = f"{path.name}: {len(times)} frames of {recording.width}×{recording.height}, {recording.format}"
        self._path = path.resolve()
        self.duration_s = max(times[-1] - times[0], len(times) / _LEPTON_HZ) + _SETTLE_S
        self._people = _labelled_people(path)

    def robot(self) -> RobotStart:
        """Thermal, bridge and health."""
        return RobotStart.thermal_only(source="recording", recording=str(self._path))

    def before_robot(self, _stack: Stack, /) -> None:
        """Nothing: the thermal node plays the recording itself."""

    def prepare(self, _stack: Stack, /) -> None:
        """Nothing."""

    def ended(self, _stack: Stack, /) -> bool:
        """Only time tells."""
        return False

    def compare(self, findings: Sequence[StoredFinding], /) -> dict[str, Any]:
        """People with a reading beside the label."""
        if self._people is None:
            return {"people_labelled": None}
        screened = people_screened(findings)
        verdict = "as labelled" if (screened > 0) == (self._people > 0) else "not as labelled"
        return {"people_labelled": self._people, "verdict": verdict}

    def table(self) -> str:
        """Nothing beyond the summary."""
        return ""


class ScenarioShow:
    """A scenario of ``sim/scenarios`` in the built-in simulator, with the whole robot."""

    simulated_clock = True

    def __init__(self, name: str, folder: Path, duration_s: float | None) -> None:
        self.title = f"scenario {name}"
        self._name = name
        self._folder = folder
        self._limit_s = duration_s
        self.duration_s = duration_s or 3600.0
        self._table = ""

    def robot(self) -> RobotStart:
        """Every node, on the simulator's clock and ports."""
        path = self._folder / "robot.yaml"
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        parameters = {name.removeprefix("/**/"): node["ros__parameters"] for name, node in given.items()}
        return RobotStart("robot.launch.xml", {"use_sim_time": "true"}, parameters)

    def before_robot(self, stack: Stack, /) -> None:
        """Start the simulator and wait until it has told its ports; its clock comes when it comes.

        Raises:
            ProcessError: it ended.
        """
        command = [sys.executable, "-m", "inspection_sim.ros.simulator", "--scenario", self._name]
        command += ["--output", str(self._folder), "--robot-name", ROBOT_NAME, "--await-robot", str(_AWAIT_ROBOT_S)]
        command += ["--center", str(stack.handed_over)]
        command += ["--duration", str(self._limit_s)] if self._limit_s else []
        simulator = stack.start("simulator", command)
        simulator.wait_until((self._folder / "robot.yaml").exists, _SIMULATOR_TIMEOUT_S)
        stack.radio = self._folder / "radio.json"

    def prepare(self, stack: Stack, /) -> None:
        """Put what the scenario has looked for on the center's watch-list."""
        truth = json.loads((self._folder / "truth.json").read_text(encoding="utf-8"))
        wanted = [item for item in truth["planted"] if item["what"] == "watch_list"]
        if wanted:
            stack.watch(
                [{"id": f"demo:{item['subject']}", "kind": "bag_tag", "identifier": item["detail"]} for item in wanted]
            )

    def ended(self, stack: Stack, /) -> bool:
        """The simulator ends by itself when the scenario is over."""
        return not stack.processes["simulator"].running

    def compare(self, _findings: Sequence[StoredFinding], /) -> dict[str, Any]:
        """The scorer's figures.

        Raises:
            InputError: the simulator left nothing to score.
        """
        done = subprocess.run(
            [sys.executable, "-m", "inspection_robot.cli", "score", str(self._folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise InputError(self._folder, done.stderr.strip() or "could not be scored")
        score: dict[str, Any] = json.loads(done.stdout)
        self._table = score.pop("table", "")
        return {"score": score}

    def table(self) -> str:
        """Each planted subject and what was found of it."""
        return self._table


def scenario_names() -> list[str]:
    """Names of the scenarios in ``sim/scenarios``."""
    return sorted(path.stem for path in (share() / "sim" / "scenarios").glob("*.yaml"))


def _labelled_people(path: Path) -> int | None:
    """How many people a manifest beside the recording says were scanned; None when it says nothing."""
    manifest = path.parent / "manifest.json"
    if not manifest.is_file():
        return None
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        labels = {entry["file"]: entry.get("label_scanned") for entry in entries}
        label = labels.get(path.name)
        return int(label) if label not in (None, "") else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(manifest, f"not a manifest of recordings: {error}") from error
