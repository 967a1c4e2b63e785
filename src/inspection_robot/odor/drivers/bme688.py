"""BME688 development kits that print one line for each heater step, 115200 Bd.

``,gas_index,measurement_index,milliseconds,status,gas_wait,temperature,humidity,pressure,resistance,log,difference,;``
in °C, %RH, Pa and Ω, as sent by the firmware of MRSa/SamplingBME688Serial (Apache-2.0) with Bosch's heater profile
HP-354. Status B0 hexadecimal: new data, gas valid, heater stable. A reading is one complete heater cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inspection_robot.odor.drivers.board import BoardReading, LineSplitter, SerialLine, StreamingBoard

BAUD_RATE = 115200
STEPS = 10
HEATER_TEMPERATURES_C = (320, 100, 100, 100, 200, 200, 200, 320, 320, 320)  # HP-354
HEATER_DURATIONS = (5, 2, 10, 30, 5, 5, 5, 5, 5, 5)  # HP-354, in units of 140 ms
UNIT_S = 0.140
CYCLE_S = sum(HEATER_DURATIONS) * UNIT_S
GAS_VALID, HEATER_STABLE, NEW_DATA = 0x20, 0x10, 0x80
STATUS_GOOD = NEW_DATA | GAS_VALID | HEATER_STABLE


@dataclass(frozen=True)
class HeaterStep:
    """One line: heater step 0..9, board time [ms], °C, %RH, Pa, Ω; ``stable`` when gas and heater are valid."""

    index: int
    time_ms: int
    temperature_c: float
    humidity_percent: float
    pressure_pa: float
    resistance_ohm: float
    stable: bool


def parse_line(line: str) -> HeaterStep | None:
    """Parse one line; None for banners, answers to commands and damaged lines."""
    fields = line.split(",")
    if len(fields) < 13 or fields[0] or not fields[12].startswith(";"):
        return None
    try:
        index, time_ms, status = int(fields[1]), int(fields[3]), int(fields[4])
        temperature, humidity, pressure, resistance = (float(field) for field in fields[6:10])
        logarithm = float(fields[10])
    except ValueError:
        return None
    # The line carries no checksum; its logarithm is one: a digit lost in the resistance does not fit any more.
    if not (0 <= index < STEPS and resistance > 0.0 and abs(np.log(resistance) - logarithm) < 1e-3):
        return None
    if not (-40.0 <= temperature <= 85.0 and 0.0 <= humidity <= 100.0 and 30_000.0 <= pressure <= 110_000.0):
        return None  # outside what the BME688 can measure (data sheet)
    stable = status & STATUS_GOOD == STATUS_GOOD
    return HeaterStep(index, time_ms, temperature, humidity, pressure, resistance, stable)


class CycleCollector:
    """Collects steps into complete cycles; a missing or repeated step starts over."""

    def __init__(self) -> None:
        self._steps: list[HeaterStep] = []

    def add(self, step: HeaterStep) -> list[HeaterStep] | None:
        """Return the cycle that ``step`` completes."""
        if step.index == 0:
            self._steps = []
        if step.index != len(self._steps):
            self._steps = []
            return None
        self._steps.append(step)
        return self._steps if len(self._steps) == STEPS else None


class Bme688Board(StreamingBoard):
    """A BME688 kit: ten gas resistances, one for each heater step, every 10.8 s."""

    period_s = CYCLE_S

    def __init__(self, port: str, serial_number: str = "") -> None:
        """Open the port; the kit sends by itself.

        Raises:
            BoardError: no port.
        """
        super().__init__(SerialLine(port, BAUD_RATE), patience_s=3.0 * CYCLE_S)
        self._name = f"BME688 {serial_number}".strip()
        self._splitter = LineSplitter()
        self._collector = CycleCollector()

    def feed(self, data: bytes) -> list[BoardReading]:
        """Return the heater cycles that ``data`` completes."""
        steps = [step for line in self._splitter.feed(data) if (step := parse_line(line)) is not None]
        return [self._reading(cycle) for step in steps if (cycle := self._collector.add(step)) is not None]

    def _reading(self, cycle: list[HeaterStep]) -> BoardReading:
        return BoardReading(
            board=self._name,
            channels=tuple(f"step{step.index}_{HEATER_TEMPERATURES_C[step.index]}c" for step in cycle),
            values=np.array([step.resistance_ohm for step in cycle]),
            units=("Ohm",) * STEPS,
            temperature_c=float(np.mean([step.temperature_c for step in cycle])),
            relative_humidity=float(np.mean([step.humidity_percent for step in cycle])) / 100.0,
            pressure_pa=float(np.mean([step.pressure_pa for step in cycle])),
            warming_up=not all(step.stable for step in cycle),
        )
