"""Drivers against emulators that speak the real bytes: readings, cuts, garbage, wrong baud, search."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import usb.core
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.radiation.drivers import DetectorError, RadiationDetector, find_detector, open_detector
from inspection_robot.radiation.drivers.bgeigie import Bgeigie, BgeigieRecord, checksum, parse_line
from inspection_robot.radiation.drivers.gmc import Gmc, heartbeat_length, parse_heartbeat
from inspection_robot.radiation.drivers.mighty_ohm import MightyOhm
from inspection_robot.radiation.drivers.mighty_ohm import parse_line as parse_mighty_ohm
from inspection_robot.radiation.drivers.rad_pro import RadPro, parse_reply
from inspection_robot.radiation.drivers.radiacode_device import RadiaCodeDevice
from inspection_sim.devices.bgeigie import BgeigieDevice
from inspection_sim.devices.gmc_counter import GmcDevice
from inspection_sim.devices.mightyohm import MightyOhmDevice
from inspection_sim.devices.pty_device import PtyDevice
from inspection_sim.devices.radiacode_usb import RadiaCodeUsbDevice
from inspection_sim.devices.radpro import RadProDevice

FAST_S = 0.02


def rate() -> float:
    return 500.0


@pytest.fixture(params=["rad_pro", "gmc", "gmc_wide", "mighty_ohm", "bgeigie"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[PtyDevice, RadiationDetector]]:
    port = tmp_path / "port"
    devices = {
        "rad_pro": lambda: (RadProDevice(port, rate), RadPro(str(port), period_s=FAST_S)),
        "gmc": lambda: (GmcDevice(port, rate, period_s=FAST_S), Gmc(str(port))),
        "gmc_wide": lambda: (
            GmcDevice(port, rate, "GMC-500+Re 2.28", 115200, period_s=FAST_S), Gmc(str(port)),
        ),
        "mighty_ohm": lambda: (MightyOhmDevice(port, rate, FAST_S), MightyOhm(str(port))),
        "bgeigie": lambda: (BgeigieDevice(port, rate, FAST_S), Bgeigie(str(port))),
    }  # fmt: skip
    device, driver = devices[request.param]()
    with device:
        yield device, driver
        try:
            driver.close()
        except DetectorError as error:
            assert error.reason == "disconnected"


def next_total(driver: RadiationDetector, tries: int = 50) -> int:
    """The next reading that can be read; garbage in between is skipped, as the node does."""
    for _ in range(tries):
        try:
            return driver.read().total_counts
        except DetectorError as error:
            assert error.reason == "garbage"
    raise AssertionError("nothing but garbage")


def test_totals_grow_with_the_pulses_the_tube_sees(pair: tuple[PtyDevice, RadiationDetector]) -> None:
    _, driver = pair
    assert driver.open().model
    readings = [driver.read() for _ in range(5)]
    totals = [reading.total_counts for reading in readings]
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]
    assert all(b.time_s >= a.time_s for a, b in itertools.pairwise(readings))


def test_a_pulled_cable_is_a_disconnection_and_the_driver_comes_back(
    pair: tuple[PtyDevice, RadiationDetector],
) -> None:
    device, driver = pair
    driver.open()
    driver.read()
    device.unplug()
    with pytest.raises(DetectorError) as caught:
        for _ in range(100):
            driver.read()
    assert caught.value.reason in ("disconnected", "garbage")
    try:
        driver.close()
    except DetectorError as error:
        assert error.reason == "disconnected"
    with pytest.raises(DetectorError) as caught:
        driver.open()
    assert caught.value.reason == "disconnected"
    device.plug()
    assert driver.open().model
    assert driver.read().total_counts >= 0


def test_garbage_on_the_line_costs_readings_but_invents_no_counts(pair: tuple[PtyDevice, RadiationDetector]) -> None:
    device, driver = pair
    driver.open()
    before = next_total(driver)
    device.send(bytes(np.random.default_rng(1).integers(128, 256, 61, dtype=np.uint8)))
    totals = [next_total(driver) for _ in range(5)]
    assert all(total >= before for total in totals)
    assert totals[-1] - before < 5000 * 5 * 3  # a bGeigie counts 2500 an interval here, the others less


@pytest.mark.parametrize("expected", ["Rad Pro", "GQ GMC", "MightyOhm"])
def test_auto_finds_what_is_plugged_in(expected: str, tmp_path: Path) -> None:
    port = tmp_path / "port"
    device: PtyDevice = {
        "Rad Pro": lambda: RadProDevice(port, rate),
        "GQ GMC": lambda: GmcDevice(port, rate, period_s=FAST_S),
        "MightyOhm": lambda: MightyOhmDevice(port, rate, FAST_S),
    }[expected]()
    with device:
        driver, identity = find_detector(str(port))
        assert identity.model.startswith(expected)
        driver.close()


def test_a_port_without_a_detector_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"no radiation detector found.*nothing-here"):
        find_detector(str(tmp_path / "nothing-here"))


def test_the_wrong_baud_rate_opens_silently_and_is_found_out(tmp_path: Path) -> None:
    port = tmp_path / "port"
    with GmcDevice(port, rate, own_baud_rate=9600, period_s=FAST_S):
        with pytest.raises(DetectorError) as caught:
            open_detector("gmc", str(port))
        assert caught.value.reason == "garbage"


def test_a_stuck_counter_counts_nothing_more(tmp_path: Path) -> None:
    port = tmp_path / "port"
    with RadProDevice(port, rate, total=1000) as device:
        driver = RadPro(str(port), period_s=FAST_S)
        driver.open()
        device.stuck = True
        totals = {driver.read().total_counts for _ in range(3)}
        driver.close()
    assert len(totals) == 1


class TestRadiaCode:
    """The library talks to the bytes of the emulated USB endpoints."""

    @pytest.fixture
    def device(self, monkeypatch: pytest.MonkeyPatch) -> RadiaCodeUsbDevice:
        device = RadiaCodeUsbDevice(np.arange(1024, dtype=np.int64) % 7)
        monkeypatch.setattr(usb.core, "find", lambda **_: device if device.present else None)
        monkeypatch.setattr("usb.util.dispose_resources", lambda _: None)
        return device

    def test_the_sum_of_the_spectrum_is_the_running_total(self, device: RadiaCodeUsbDevice) -> None:
        driver = RadiaCodeDevice(period_s=FAST_S)
        identity = driver.open()
        assert (identity.model, identity.serial_number) == ("RadiaCode-102", "RC-102-001234")
        first = driver.read()
        device.counts = device.counts + 2
        device.duration_s = 1
        second = driver.read()
        driver.close()
        assert second.total_counts - first.total_counts == 2 * 1024
        assert second.spectrum is not None
        assert second.spectrum.duration_s == 1.0
        assert second.spectrum.coefficients_kev == pytest.approx(device.coefficients_kev)

    def test_zero_length_reads_are_survived(self, device: RadiaCodeUsbDevice) -> None:
        driver = RadiaCodeDevice(period_s=FAST_S)
        driver.open()
        device.empty_reads = 2
        assert driver.read().total_counts == device.counts.sum()
        driver.close()

    def test_an_answer_out_of_sequence_asks_for_reconnection(self, device: RadiaCodeUsbDevice) -> None:
        driver = RadiaCodeDevice(period_s=FAST_S)
        driver.open()
        device.wrong_sequence = True
        with pytest.raises(DetectorError) as caught:
            driver.read()
        assert caught.value.reason == "disconnected"
        driver.close()

    def test_a_pulled_cable_is_a_disconnection(self, device: RadiaCodeUsbDevice) -> None:
        driver = RadiaCodeDevice(period_s=FAST_S)
        driver.open()
        device.present = False
        with pytest.raises(DetectorError) as caught:
            driver.read()
        assert caught.value.reason == "disconnected"
        driver.close()
        with pytest.raises(DetectorError, match="no RadiaCode"):
            driver.open()


@given(st.text(max_size=80))
def test_no_reply_text_breaks_the_rad_pro_parser(line: str) -> None:
    try:
        value = parse_reply(line)
    except DetectorError as error:
        assert error.reason == "garbage"
    else:
        assert value is None or line.strip().startswith("OK")


@given(st.binary(min_size=2, max_size=2) | st.binary(min_size=4, max_size=4))
def test_a_heartbeat_is_a_possible_count_or_refused(data: bytes) -> None:
    try:
        assert 0 <= parse_heartbeat(data) <= 100_000
    except DetectorError as error:
        assert error.reason == "garbage"


@given(st.text(max_size=80))
def test_no_line_breaks_the_mighty_ohm_parser(line: str) -> None:
    try:
        assert parse_mighty_ohm(line) >= 0
    except DetectorError as error:
        assert error.reason == "garbage"


SENTENCE = "BNRDD,202,2012-07-23T01:49:07Z,33,4,34,A,4232.4106,N,-8312.4727,W,224.70,A,300,5"


def test_a_valid_sentence_gives_its_counts_and_place() -> None:
    line = f"${SENTENCE.replace('-8312', '08312')}"
    body = line[1:]
    (record,) = parse_line(f"{line}*{checksum(body):02X}")
    assert isinstance(record, BgeigieRecord)
    assert (record.counts_in_5_s, record.total_counts, record.counts_valid) == (4, 34, True)
    assert record.latitude_deg == pytest.approx(42.540177, abs=1e-6)
    assert record.longitude_deg == pytest.approx(-83.207878, abs=1e-6)


@given(st.integers(0, len(SENTENCE) - 1), st.characters(min_codepoint=32, max_codepoint=126))
def test_one_changed_character_never_passes_the_checksum(place: int, character: str) -> None:
    damaged = SENTENCE[:place] + character + SENTENCE[place + 1 :]
    records = list(parse_line(f"${damaged}*{checksum(SENTENCE):02X}"))
    if damaged != SENTENCE:
        assert not any(isinstance(record, BgeigieRecord) for record in records)


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=255), max_size=200))
def test_every_line_yields_a_record_or_a_reason(line: str) -> None:
    results = list(parse_line(line))
    assert results
    assert all(isinstance(result, BgeigieRecord) or result for result in results)


def test_the_wide_protocol_is_known_by_the_model() -> None:
    assert [heartbeat_length(m) for m in ("GMC-300Re 4.20", "GMC-500+Re 2.28", "GMC-600Re 1.02")] == [2, 4, 4]


def test_rad_pro_paces_itself(tmp_path: Path) -> None:
    port = tmp_path / "port"
    with RadProDevice(port, rate):
        driver = RadPro(str(port), period_s=0.05)
        driver.open()
        times = [driver.read().time_s for _ in range(4)]
        driver.close()
    assert times[-1] - times[0] >= 0.1
    assert times[-1] <= time.monotonic()
