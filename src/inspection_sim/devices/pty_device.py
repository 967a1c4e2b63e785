"""A serial device on a pseudo-terminal: the base of every emulator.

A driver opens :attr:`PtyDevice.port` as it would open ``/dev/ttyUSB0``. The port is a symbolic link that survives
:meth:`PtyDevice.unplug` and :meth:`PtyDevice.plug`, as a udev link does, so that reconnecting can be tested.
"""

from __future__ import annotations

import errno
import os
import select
import termios
import threading
import time
import tty
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

_READ_SIZE = 4096


class PtyDevice(ABC):
    """A device that answers bytes and may send by itself.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. One background thread calls :meth:`receive`
    and :meth:`tick`; subclasses keep their own state behind :attr:`lock` when tests change it from outside.
    """

    def __init__(self, port: str | Path, period_s: float | None = None) -> None:
        """Make the device; nothing is opened yet.

        Args:
            port: where the symbolic link to the pseudo-terminal is put; it must not exist.
            period_s: interval [s] at which :meth:`tick` is called; None for devices that only answer.
        """
        self.port = Path(port)
        self.period_s = period_s
        self.lock = threading.RLock()
        self._master: int | None = None
        self._slave: int | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = -1, -1

    @abstractmethod
    def receive(self, data: bytes) -> bytes:
        """Take bytes the driver wrote, in pieces of any size, and return the bytes to answer (maybe none)."""

    def tick(self) -> bytes:
        """Return what the device sends by itself once in every period."""
        return b""

    @property
    def baud_rate(self) -> int | None:
        """Return the speed the driver has set on the port [Bd]; None while it is unplugged or unset.

        A pseudo-terminal carries bytes at any speed; an emulator compares this with its own to garble them as a
        real line does.
        """
        with self.lock:
            if self._slave is None:
                return None
            code = termios.tcgetattr(self._slave)[5]
        return _BAUD_RATES.get(code)

    def start(self) -> None:
        """Plug the device in and begin to serve it."""
        self._wake_read, self._wake_write = os.pipe()
        self._stopping.clear()
        self.plug()
        self._thread = threading.Thread(target=self._serve, name=type(self).__name__, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Unplug the device and end its thread."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.unplug()
        for descriptor in (self._wake_read, self._wake_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._wake_read = self._wake_write = -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def plug(self) -> None:
        """Appear at :attr:`port` with a fresh pseudo-terminal; nothing happens when already plugged in."""
        with self.lock:
            if self._master is not None:
                return
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self.port.unlink(missing_ok=True)
            self.port.symlink_to(os.ttyname(self._slave))
        self._wake()

    def unplug(self) -> None:
        """Vanish as a pulled cable does: an open port reads end-of-file or fails, a new open finds nothing."""
        with self.lock:
            if self._master is None or self._slave is None:
                return
            self.port.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = None
        self._wake()

    def send(self, data: bytes) -> None:
        """Send bytes at once: garbage, half a line, an unsolicited report. Bytes nobody reads are dropped."""
        with self.lock:
            if self._master is None:
                return
            try:
                os.write(self._master, data)
            except BlockingIOError:
                return  # the driver does not read: a real line drops them as well

    def _wake(self) -> None:
        if self._wake_write >= 0:
            os.write(self._wake_write, b".")

    def _serve(self) -> None:
        next_tick = time.monotonic() + (self.period_s or 0.0)
        while not self._stopping.is_set():
            with self.lock:
                master = self._master
            watched = [self._wake_read] if master is None else [self._wake_read, master]
            wait_s = None if self.period_s is None else max(0.0, next_tick - time.monotonic())
            try:
                ready, _, _ = select.select(watched, [], [], wait_s)
            except OSError as error:
                if error.errno == errno.EBADF:
                    continue  # unplugged between taking the descriptor and waiting on it
                raise
            if self._wake_read in ready:
                os.read(self._wake_read, _READ_SIZE)
            if master is not None and master in ready:
                self._answer(master)
            if self.period_s is not None and time.monotonic() >= next_tick:
                next_tick += self.period_s
                self.send(self.tick())

    def _answer(self, master: int) -> None:
        with self.lock:
            if self._master != master:
                return
            try:
                data = os.read(master, _READ_SIZE)
            except OSError as error:
                if error.errno in (errno.EIO, errno.EAGAIN, errno.EBADF):
                    return  # nobody has the port open, or it was pulled between select and read
                raise
        if data:
            self.send(self.receive(data))


_BAUD_RATES = {
    getattr(termios, f"B{rate}"): rate
    for rate in (9600, 19200, 38400, 57600, 115200, 230400)
    if hasattr(termios, f"B{rate}")
}
