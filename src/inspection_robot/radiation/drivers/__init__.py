"""Radiation detectors behind one interface, and the search for what is plugged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import usb.core
from serial.tools import list_ports

from inspection_robot.radiation.drivers.bgeigie import Bgeigie
from inspection_robot.radiation.drivers.detector import (
    CumulativeSpectrum,
    DetectorError,
    Identity,
    RadiationDetector,
    SerialLink,
    TotalReading,
)
from inspection_robot.radiation.drivers.gmc import Gmc
from inspection_robot.radiation.drivers.mighty_ohm import MightyOhm
from inspection_robot.radiation.drivers.rad_pro import RadPro
from inspection_robot.radiation.drivers.radiacode_device import USB_PRODUCT, USB_VENDOR, RadiaCodeDevice

__all__ = [
    "SERIAL_DRIVERS",
    "CumulativeSpectrum",
    "DetectorError",
    "Identity",
    "RadiationDetector",
    "SerialLink",
    "TotalReading",
    "find_detector",
    "open_detector",
]

SERIAL_DRIVERS: dict[str, Callable[[str], RadiationDetector]] = {
    "rad_pro": RadPro,
    "gmc": Gmc,
    "mighty_ohm": MightyOhm,
    "bgeigie": Bgeigie,
}
"""In the order in which a port is asked: those that answer a question first, those one has to wait for last."""


def open_detector(driver: str, port: str) -> tuple[RadiationDetector, Identity]:
    """Open the detector a robot is configured for.

    Args:
        driver: a name of :data:`SERIAL_DRIVERS`, ``radiacode`` or ``auto``.
        port: serial port; for ``radiacode`` its serial number; empty for ``auto`` to look everywhere.

    Raises:
        DetectorError: it is not there, or something else is.
    """
    if driver == "auto":
        return find_detector(port)
    return _opened(RadiaCodeDevice(port) if driver == "radiacode" else SERIAL_DRIVERS[driver](port))


def find_detector(port: str = "") -> tuple[RadiationDetector, Identity]:
    """Open whatever detector answers: on one port, or a RadiaCode on USB and then every serial port.

    Raises:
        DetectorError: none answers; the text says what each port said.
    """
    faults: list[str] = []
    for candidate in _candidates(port):
        try:
            return _opened(candidate)
        except DetectorError as error:
            faults.append(str(error))
    raise DetectorError("disconnected", f"no radiation detector found: {'; '.join(faults) or 'no port'}")


def _candidates(port: str) -> Iterator[RadiationDetector]:
    if not port and _radiacode_present():
        yield RadiaCodeDevice()
    ports = [port] if port else [entry.device for entry in list_ports.comports()]
    for name in ports:
        for make in SERIAL_DRIVERS.values():
            yield make(name)


def _radiacode_present() -> bool:
    try:
        return usb.core.find(idVendor=USB_VENDOR, idProduct=USB_PRODUCT) is not None
    except usb.core.NoBackendError:
        return False  # no libusb on this machine: then no RadiaCode can be reached either


def _opened(detector: RadiationDetector) -> tuple[RadiationDetector, Identity]:
    try:
        return detector, detector.open()
    except DetectorError:
        _close_quietly(detector)
        raise


def _close_quietly(detector: RadiationDetector) -> None:
    try:
        detector.close()
    except DetectorError:
        return  # it is gone already; the error that matters is the one from opening
