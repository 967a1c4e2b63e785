"""Gas sensor boards behind one interface."""

from __future__ import annotations

from inspection_robot.odor.drivers.bme688 import Bme688Board
from inspection_robot.odor.drivers.board import Board, BoardError, BoardReading
from inspection_robot.odor.drivers.mox_csv import MoxCsvBoard
from inspection_robot.odor.drivers.shdlc import ShdlcBoard
from inspection_robot.odor.drivers.winsen import WinsenBoard

PROTOCOLS: dict[str, type[MoxCsvBoard] | type[Bme688Board] | type[ShdlcBoard] | type[WinsenBoard]] = {
    "mox_csv": MoxCsvBoard,
    "bme688": Bme688Board,
    "shdlc": ShdlcBoard,
    "winsen": WinsenBoard,
}

__all__ = ["PROTOCOLS", "Board", "BoardError", "BoardReading"]
