"""GQ GMC Geiger counters (GQ-RFC1201 for GMC-280/300/320, GQ-RFC1801 for GMC-500/600/800).

Commands are ``<NAME>>`` without checksum or framing. The heartbeat sends the counts of each second by itself, so that
their sum misses nothing while the line holds; it interleaves with replies and is stopped before any question.
"""

from __future__ import annotations

import time

from inspection_robot.radiation.drivers.detector import (
    DetectorError,
    Identity,
    RadiationDetector,
    SerialLink,
    TotalReading,
)

BAUD_RATES = (115200, 57600)
REPLY_TIMEOUT_S = 1.0
HEARTBEAT_TIMEOUT_S = 3.0
VERSION_LENGTH = 14
COUNT_MASK_16 = 0x3FFF  # the two high bits of the short form are reserved
LARGEST_CPS = 100_000  # no tube of these counters counts more
WIDE_MODELS = ("GMC-500", "GMC-510", "GMC-600", "GMC-610", "GMC-800")
CPS_PER_USV_H = 154.0 / 60.0  # M4011 tube of the GMC-280 to 500: 154 counts per minute (GQ Electronics' data)


def heartbeat_length(model: str) -> int:
    """Bytes of one heartbeat: 4 where GQ-RFC1801 is spoken, else 2."""
    return 4 if model.upper().startswith(WIDE_MODELS) else 2


def parse_heartbeat(data: bytes) -> int:
    """Counts of one second from a heartbeat of 2 or 4 bytes, big-endian.

    Raises:
        DetectorError: more counts than a tube can make: the bytes are out of step.
    """
    value = int.from_bytes(data, "big")
    counts = value & COUNT_MASK_16 if len(data) == 2 else value
    if counts > LARGEST_CPS:
        raise DetectorError("garbage", f"a heartbeat of {counts} counts")
    return counts


class Gmc(RadiationDetector):
    """A GQ GMC counter on a serial port; the baud rate is found by asking for the version."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._link: SerialLink | None = None
        self._length = 2
        self._total = 0

    def open(self) -> Identity:
        """Find the baud rate, read the version and start the heartbeat."""
        version = ""
        for baud_rate in BAUD_RATES:
            self.close()
            self._link = SerialLink(self._port, baud_rate, REPLY_TIMEOUT_S)
            version = self._version()
            if version.startswith("GMC"):
                break
        else:
            raise DetectorError("garbage", f"{self._port}: no GMC counter at {BAUD_RATES}: {version[:20]!r}")
        self._length = heartbeat_length(version)
        self._start()
        # M4011 is the tube of the smaller models; of the GMC-600 (SBM-20 or LND 7317) the sensitivity is not known.
        known = not version.startswith(("GMC-600", "GMC-800"))
        return Identity(f"GQ {version}", "", CPS_PER_USV_H) if known else Identity(f"GQ {version}")

    def read(self) -> TotalReading:
        """Wait for the next heartbeat and add it up."""
        if self._link is None:
            raise DetectorError("disconnected", f"{self._port}: not open")
        data = self._link.read(self._length, HEARTBEAT_TIMEOUT_S)
        if not data:
            raise DetectorError("disconnected", f"{self._port}: no heartbeat")
        try:
            if len(data) < self._length:
                raise DetectorError("garbage", f"half a heartbeat: {data.hex()}")
            self._total += parse_heartbeat(data)
        except DetectorError:
            self._start()  # bytes were lost: begin again in step
            raise
        return TotalReading(time.monotonic(), self._total)

    def close(self) -> None:
        """Stop the heartbeat and close the port."""
        if self._link is not None:
            link, self._link = self._link, None
            try:
                link.write(b"<HEARTBEAT0>>")
            finally:
                link.close()

    def _version(self) -> str:
        assert self._link is not None
        self._link.write(b"<HEARTBEAT0>>")
        time.sleep(0.05)  # a heartbeat on its way would be taken for the reply
        self._link.flush_input()
        self._link.write(b"<GETVER>>")
        reply = self._link.read(VERSION_LENGTH, REPLY_TIMEOUT_S)
        reply += self._link.read(64, 0.1)  # RFC1801 gives no length
        return reply.decode("latin-1").strip("\0 \r\n")

    def _start(self) -> None:
        assert self._link is not None
        self._link.write(b"<HEARTBEAT0>>")
        time.sleep(0.05)
        self._link.flush_input()
        self._link.write(b"<HEARTBEAT1>>")
