"""Arrays of metal-oxide sensors that print plain CSV at 2 Hz, 115200 Bd (as OpenSmell's and many home-made arrays).

A header line names the columns, e.g. ``time_ms,TGS2600,TGS2602,temperature,humidity``; it is repeated after a reset.
Columns named as environment (``temperature`` °C, ``humidity`` %RH, ``pressure`` Pa) are no gas channels. A line
``# serial=NAME`` gives the serial number. Gas channels are resistances in Ω unless the name ends in ``[unit]``.
"""

from __future__ import annotations

import math
import re

import numpy as np

from inspection_robot.odor.drivers.board import NOT_MEASURED, BoardReading, LineSplitter, SerialLine, StreamingBoard

BAUD_RATE = 115200
ENVIRONMENT = ("temperature", "humidity", "pressure")
TIME = "time_ms"

_NAME = re.compile(r"([A-Za-z][\w.-]*)(?:\[([^\]]*)\])?")
_SERIAL = re.compile(r"#\s*serial=(\S+)")


class CsvDecoder:
    """Turns lines into readings; lines that do not fit the header are dropped."""

    def __init__(self) -> None:
        self._columns: tuple[tuple[str, str], ...] = ()  # name and unit of each
        self._announced: tuple[tuple[str, str], ...] = ()  # a header that no data line has confirmed yet
        self._serial = ""

    def feed(self, line: str) -> BoardReading | None:
        """Take one line; return the reading it holds, if any."""
        if (serial := _SERIAL.fullmatch(line)) is not None:
            self._serial = serial.group(1)
            return None
        words = [word.strip() for word in line.split(",")]
        names = [_NAME.fullmatch(word) for word in words]
        if len(words) > 1 and all(name is not None for name in names):
            self._announced = tuple((name.group(1), name.group(2) or "Ohm") for name in names if name is not None)
            return None
        try:
            values = [float(word) for word in words]
        except ValueError:
            return None
        if self._announced and len(values) == len(self._announced):
            self._columns, self._announced = self._announced, ()
        if not self._columns or len(values) != len(self._columns) or not all(map(math.isfinite, values)):
            return None
        return self._reading(values)

    def _reading(self, values: list[float]) -> BoardReading | None:
        named = {name: value for (name, _), value in zip(self._columns, values, strict=True)}
        gases = [index for index, (name, _) in enumerate(self._columns) if name not in (*ENVIRONMENT, TIME)]
        if not gases or any(values[index] <= 0.0 for index in gases):
            return None  # a resistance of zero or less is a broken line, no measurement
        return BoardReading(
            board=f"MOX {self._serial}".strip(),
            channels=tuple(self._columns[index][0] for index in gases),
            values=np.array([values[index] for index in gases]),
            units=tuple(self._columns[index][1] for index in gases),
            temperature_c=named.get("temperature", NOT_MEASURED),
            relative_humidity=named.get("humidity", NOT_MEASURED) / 100.0,
            pressure_pa=named.get("pressure", NOT_MEASURED),
        )


class MoxCsvBoard(StreamingBoard):
    """An array that sends by itself."""

    period_s = 0.5

    def __init__(self, port: str) -> None:
        """Open the port and ask for the header.

        Raises:
            BoardError: no port.
        """
        super().__init__(SerialLine(port, BAUD_RATE), patience_s=10.0 * self.period_s)
        self._splitter = LineSplitter()
        self._decoder = CsvDecoder()
        self._line.write(b"header\n")  # boards without commands ignore it; their header comes after the next reset

    def feed(self, data: bytes) -> list[BoardReading]:
        """Return the readings of the lines that ``data`` completes."""
        lines = self._splitter.feed(data)
        return [reading for line in lines if (reading := self._decoder.feed(line)) is not None]
