"""A place where a board is plugged in: opens it, reads it, and knows how it fares when it is away."""

from __future__ import annotations

from inspection_contract.errors import InputError
from inspection_robot.odor.board_health import BoardStatus, HealthSettings
from inspection_robot.odor.board_track import BoardTrack, TrackUpdate, settings_for
from inspection_robot.odor.drivers import PROTOCOLS, Board, BoardError, BoardReading


class BoardSlot:
    """One board in use.

    Args:
        place: ``protocol:port``.
        health: limits of the board's health.
        humidity_exponent: of resistive channels, see ``board_track``.

    Raises:
        InputError: an unknown protocol or no port.
    """

    def __init__(self, place: str, health: HealthSettings, humidity_exponent: float) -> None:
        self.protocol, _, self.port = place.partition(":")
        if self.protocol not in PROTOCOLS or not self.port:
            raise InputError(place, f"is not protocol:port with one of {', '.join(PROTOCOLS)}")
        self.period_s = PROTOCOLS[self.protocol].period_s
        self.track = BoardTrack(settings_for(self.period_s, health, humidity_exponent))
        self.status = BoardStatus.DISCONNECTED
        self.text = "not opened yet"
        self._board: Board | None = None

    def poll(self) -> BoardReading | None:
        """Open the board if need be, and return what it gives within about a second.

        Raises:
            BoardError: it is away, silent or refuses; the next call opens it again.
        """
        try:
            if self._board is None:
                self._board = PROTOCOLS[self.protocol](self.port)
            return self._board.poll()
        except BoardError as error:
            self.close(error.fault)
            raise

    def update(self, reading: BoardReading, time_s: float) -> TrackUpdate:
        """Follow a reading at ``time_s`` [s] of the node's clock."""
        update = self.track.update(reading, time_s)
        self.status, self.text = update.health.status, update.health.text
        return update

    def close(self, fault: str = "closed") -> None:
        """Let go of the board; harmless when it is not open."""
        if self._board is not None:
            self._board.close()
            self._board = None
        self.status, self.text = BoardStatus.DISCONNECTED, fault
