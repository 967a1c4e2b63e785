"""The truth of a run: what is planted, and where everybody was when."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import yaml

from inspection_contract.resources import share
from inspection_sim.fields.odor import SUBSTANCES
from inspection_sim.scenario import COLD_C, FEVER_C, HOT_C, LuggageSpec, ObjectSpec, Scenario
from inspection_sim.simulation import Setting, Simulation

EVERY_S: Final = 0.5
"""Interval of the trajectory [s]."""


@dataclass(frozen=True)
class Planted:
    """One thing to be found.

    Attributes:
        what: fever, cold, hot, radiation, odor or watch_list.
        subject: id of the passenger or object that bears it.
        part: "" on the person, "luggage", or "object".
        detail: nuclide, odor family, tag text or temperature.
    """

    what: str
    subject: str
    part: str
    detail: str


def planted(scenario: Scenario) -> tuple[Planted, ...]:
    """Return everything in a scenario that should be found, in the order of the file."""
    found: list[Planted] = []
    for person in scenario.passengers:
        if person.core_temperature_c >= FEVER_C:
            found.append(Planted("fever", person.id, "", f"{person.core_temperature_c:g} °C"))
        if person.source is not None:
            found.append(Planted("radiation", person.id, "", person.source.nuclide))
        if person.odor is not None:
            found.append(Planted("odor", person.id, "", SUBSTANCES[person.odor.substance]))
        if person.luggage is not None:
            found += _goods(person.id, "luggage", person.luggage)
    for item in scenario.objects:
        found += _goods(item.id, "object", item)
    return tuple(found)


def _goods(subject: str, part: str, goods: LuggageSpec | ObjectSpec) -> list[Planted]:
    found = []
    if goods.temperature_c is not None and goods.temperature_c < COLD_C:
        found.append(Planted("cold", subject, part, f"{goods.temperature_c:g} °C"))
    if goods.temperature_c is not None and goods.temperature_c >= HOT_C:
        found.append(Planted("hot", subject, part, f"{goods.temperature_c:g} °C"))
    if goods.source is not None:
        found.append(Planted("radiation", subject, part, goods.source.nuclide))
    if goods.odor is not None and SUBSTANCES[goods.odor.substance] != "permitted":
        found.append(Planted("odor", subject, part, SUBSTANCES[goods.odor.substance]))
    if goods.watch_listed:
        found.append(Planted("watch_list", subject, part, goods.tag))
    return found


def summary(setting: Setting) -> dict[str, Any]:
    """Return the content of ``truth.json``."""
    scenario = setting.scenario
    return {
        "scenario": scenario.name, "world": scenario.world, "seed": setting.seed, "duration_s": scenario.duration_s,
        "people": len(setting.people), "planted": [asdict(item) for item in planted(scenario)],
        "objects": {item.id: [item.x, item.y] for item in scenario.objects},
        "faults": [asdict(fault) for fault in scenario.faults],
    }  # fmt: skip


class TrajectoryWriter:
    """Writes one JSON line each :data:`EVERY_S`: time, robot, people, contacts, dose-relevant count rate."""

    def __init__(self, file: TextIO) -> None:
        """Write to an open text file."""
        self._file = file
        self._next_s = 0.0

    def write(self, simulation: Simulation) -> None:
        """Write a line when one is due."""
        if simulation.time_s + 1e-9 < self._next_s:
            return
        self._next_s += EVERY_S
        people = {name: [round(x, 3), round(y, 3), round(yaw, 3)] for name, x, y, yaw in simulation.people_present()}
        x, y, yaw = simulation.pose
        line = {
            "t": round(simulation.time_s, 3), "robot": [round(x, 3), round(y, 3), round(yaw, 3)],
            "people": people, "contacts": simulation.base.contacts, "cps": round(simulation.count_rate_cps, 2),
        }  # fmt: skip
        self._file.write(json.dumps(line) + "\n")


def write_parameters(setting: Setting, ports: dict[str, Path], path: Path) -> None:
    """Write the ROS parameter file with which the robot's nodes find this run's devices and clock."""
    air = setting.world.air
    content = yaml.safe_load((share() / "config" / "simulation.yaml").read_text(encoding="utf-8"))
    for node, port in ports.items():
        content[f"/**/{node}"]["ros__parameters"]["port"] = str(port.absolute())
    content["/**/odor"]["ros__parameters"] |= {"wind_known": True, "wind_m_s": [float(value) for value in air.wind]}
    draft = path.with_suffix(".part")
    draft.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    draft.replace(path)  # who waits for the file finds it whole


def write_summary(setting: Setting, folder: Path) -> None:
    """Write ``truth.json`` into a run's folder."""
    (folder / "truth.json").write_text(
        json.dumps(summary(setting), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
