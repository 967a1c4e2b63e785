"""The serial instruments of the simulated robot: emulators on pseudo-terminals, fed from the fields."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from inspection_sim.devices.gmc_counter import GmcDevice
from inspection_sim.devices.mox_csv import MoxCsvBoard
from inspection_sim.devices.pty_device import PtyDevice
from inspection_sim.devices.radpro import RadProDevice
from inspection_sim.fields.odor import SUBSTANCES
from inspection_sim.simulation import Simulation

GARBAGE_BYTES: Final = 40
GMC_PERIOD_S: Final = 0.1
"""How often the emulated GMC looks whether a simulated second is over [s]."""
REFERENCE_PPM: Final = 40.0
"""Concentration at which the dock presents its reference odors [ppm]."""


def ports(folder: Path) -> dict[str, Path]:
    """Where the instruments of a run's folder can be plugged in, by the node that drives them."""
    return {name: folder / "ports" / name for name in ("radiation", "odor")}


def geiger_counter(port: Path, simulation: Simulation) -> RadProDevice | GmcDevice:
    """Make the counter that the scenario asks for; it counts in simulated time."""
    seed = simulation.setting.seed
    if simulation.setting.scenario.radiation_detector == "gmc":
        return GmcDevice(
            port, lambda: simulation.count_rate_cps, period_s=GMC_PERIOD_S, seed=seed, clock=lambda: simulation.time_s
        )
    return RadProDevice(port, lambda: simulation.count_rate_cps, seed, clock=lambda: simulation.time_s)


class Instruments:
    """The radiation detector (Rad Pro or GMC) and the odor board (CSV at 2 Hz), with faults on order.

    Their ports are links in the run's folder; they move in simulated time.
    """

    def __init__(self, folder: Path, simulation: Simulation) -> None:
        """Make the devices; they are plugged in by entering the context."""
        (folder / "ports").mkdir(parents=True, exist_ok=True)
        links = ports(folder)
        seed = simulation.setting.seed
        self._geiger = geiger_counter(links["radiation"], simulation)
        self._odor = MoxCsvBoard(links["odor"], seed=seed, simulated_time=True)
        self._simulation = simulation
        self._garbage = np.random.default_rng([seed, 8])
        self.reference = ""
        """Substance that the odor node asks its dock to present; the dock does so while the robot stands at it."""
        self._unplugged: set[str] = set()
        self._stuck: set[str] = set()

    def __enter__(self) -> Self:
        self._geiger.start()
        self._odor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._geiger.stop()
        self._odor.stop()

    def advance(self, duration_s: float) -> None:
        """Bring the devices to the simulation's present, ``duration_s`` after the last call."""
        faults = {f.device: f.fault for f in self._simulation.active_faults()}
        for name, device in (("radiation", self._geiger), ("odor", self._odor)):
            self._plug(name, device, faults.get(name) == "unplug")
            if faults.get(name) == "garbage":
                device.send(self._garbage.bytes(GARBAGE_BYTES))
        air = self._simulation.setting.world.air
        smells = self._simulation.smells_ppm()
        if self.reference in SUBSTANCES and self._simulation.at_dock():
            smells[self.reference] = smells.get(self.reference, 0.0) + REFERENCE_PPM
        self._odor.set_air(smells, air.temperature_c, air.relative_humidity)
        self._hold_odor(faults.get("odor") == "stuck")
        self._odor.advance(duration_s)
        self._geiger.stuck = faults.get("radiation") == "stuck"

    def _plug(self, name: str, device: PtyDevice, away: bool) -> None:
        if away and name not in self._unplugged:
            self._unplugged.add(name)
            device.unplug()
        elif not away and name in self._unplugged:
            self._unplugged.remove(name)
            device.plug()

    def _hold_odor(self, stuck: bool) -> None:
        if stuck != ("odor" in self._stuck):
            self._odor.stick("TGS2602", stuck)
            self._stuck ^= {"odor"}
