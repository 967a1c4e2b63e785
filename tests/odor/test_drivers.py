"""The drivers against emulators that speak the real bytes over a pseudo-terminal."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.odor.drivers import PROTOCOLS, BoardError, bme688, mox_csv, shdlc, winsen
from inspection_robot.odor.drivers.board import LineSplitter
from inspection_sim.devices.bme688 import CLEAN_OHM, Bme688Device
from inspection_sim.devices.mox_array import CHANNELS
from inspection_sim.devices.mox_csv import MoxCsvBoard as MoxCsvDevice
from inspection_sim.devices.pty_device import PtyDevice
from inspection_sim.devices.shdlc import ShdlcDevice
from inspection_sim.devices.winsen import WinsenDevice

GARBAGE = b"\x00\xff\xfe~}{\x11\x13,,,;\r\nnot,a,line\r\n\xff\x86\x00~~"

DEVICES: dict[str, Callable[[str], PtyDevice]] = {
    "mox_csv": MoxCsvDevice,
    "bme688": lambda port: Bme688Device(port, speed=40.0),
    "shdlc": ShdlcDevice,
    "winsen": WinsenDevice,
}


@pytest.fixture(params=sorted(DEVICES))
def protocol(request):
    return request.param


def test_every_protocol_has_an_emulator():
    assert set(DEVICES) == set(PROTOCOLS)


def test_a_board_gives_readings_with_channels_and_units(protocol, tmp_path):
    with DEVICES[protocol](tmp_path / "port") as device, PROTOCOLS[protocol](str(device.port)) as board:
        reading = board.read()
        assert len(reading.channels) == len(reading.values) == len(reading.units) > 0
        assert np.isfinite(reading.values).all()
        assert reading.board


def test_noise_on_the_line_costs_no_reading_but_gives_no_false_one(protocol, tmp_path):
    with DEVICES[protocol](tmp_path / "port") as device, PROTOCOLS[protocol](str(device.port)) as board:
        clean = board.read()
        device.send(GARBAGE)
        after = [board.read() for _ in range(2)]
        for reading in after:
            assert reading.channels == clean.channels
            assert np.all(np.abs(np.log(reading.values / clean.values)) < 0.1)


def test_a_pulled_cable_is_an_error_and_the_same_port_works_again_when_it_is_back(protocol, tmp_path):
    with DEVICES[protocol](tmp_path / "port") as device:
        with PROTOCOLS[protocol](str(device.port)) as board:
            board.read()
            device.unplug()
            with pytest.raises(BoardError, match=str(device.port)):
                for _ in range(50):  # what had arrived before the cut may still be read
                    board.read()
        with pytest.raises(BoardError, match="cannot be opened"):
            PROTOCOLS[protocol](str(device.port))
        device.plug()
        with PROTOCOLS[protocol](str(device.port)) as board:
            assert np.isfinite(board.read().values).all()


def test_a_silent_port_is_an_error(tmp_path):
    class Silent(PtyDevice):
        def receive(self, data: bytes) -> bytes:
            return b""

    with Silent(tmp_path / "port") as device, pytest.raises(BoardError, match="nothing readable"):
        shdlc.ShdlcBoard(str(device.port))


def test_shdlc_reads_raw_ticks_humidity_and_temperature(tmp_path):
    with ShdlcDevice(tmp_path / "port") as device:
        device.voc_ticks, device.nox_ticks = 0x7E7D, 0x1113  # every byte must be stuffed
        device.temperature_c, device.humidity_percent = -5.5, 63.0
        with shdlc.ShdlcBoard(str(device.port)) as board:
            reading = board.read()
    assert reading.values.tolist() == [0x7E7D, 0x1113]
    assert reading.temperature_c == pytest.approx(-5.5)
    assert reading.relative_humidity == pytest.approx(0.63)
    assert reading.board == "SVM4x E1D2C3B4A5968778"
    assert reading.warming_up


def test_shdlc_opens_a_board_that_is_measuring_already(tmp_path):
    with ShdlcDevice(tmp_path / "port") as device:
        for _ in range(2):
            with shdlc.ShdlcBoard(str(device.port)) as board:
                board.read()
        assert device.measuring


def test_bme688_collects_whole_heater_cycles(tmp_path):
    with Bme688Device(tmp_path / "port", speed=40.0) as device, bme688.Bme688Board(str(device.port), "7") as board:
        reading = board.read()
        assert reading.board == "BME688 7"
        assert np.allclose(reading.values, CLEAN_OHM, rtol=0.05)
        assert reading.pressure_pa == pytest.approx(100_650.0)
        assert reading.channels[0] == "step0_320c"


def test_winsen_reads_gas_concentration_and_temperature(tmp_path):
    with WinsenDevice(tmp_path / "port", gas_type=0x2B, decimals=1) as device:
        device.concentration = 1.7
        with winsen.WinsenBoard(str(device.port)) as board:
            reading = board.read()
    assert (reading.channels, reading.units) == (("so2",), ("[ppm]",))
    assert reading.values[0] == pytest.approx(1.7)
    assert reading.temperature_c == pytest.approx(25.0, abs=0.5)


def test_mox_csv_learns_the_channels_from_the_header_after_a_reset(tmp_path):
    with MoxCsvDevice(tmp_path / "port", serial="A17") as device, mox_csv.MoxCsvBoard(str(device.port)) as board:
        reading = board.read()
        assert reading.board == "MOX A17"
        assert reading.channels == CHANNELS
        assert reading.units == ("Ohm",) * 6
        assert reading.relative_humidity == pytest.approx(0.45)


def test_mox_csv_in_simulated_time_sends_one_line_each_half_second(tmp_path):
    device = MoxCsvDevice(tmp_path / "port", simulated_time=True)
    with device, mox_csv.MoxCsvBoard(str(device.port)) as board:
        device.set_air({"beef": 40.0})
        device.advance(0.5)
        first = board.read()
        device.advance(5.0)
        last = [board.read() for _ in range(10)][-1]
    assert last.values[CHANNELS.index("TGS2603")] < 0.5 * first.values[CHANNELS.index("TGS2603")]


@given(st.binary(max_size=60), st.integers(0, 255), st.integers(0, 255))
def test_shdlc_frames_survive_stuffing_and_any_cut(data, command, state):
    decoder = shdlc.ReplyDecoder()
    frame = shdlc.reply(command, data, state)
    found = [reply for byte in frame for reply in decoder.feed(bytes((byte,)))]
    assert found == [shdlc.Reply(0, command, state, data)]
    assert not set(frame[1:-1]) & {0x7E, 0x11, 0x13}


@given(st.binary(max_size=200))
def test_shdlc_finds_the_frame_after_any_garbage(noise):
    decoder = shdlc.ReplyDecoder()
    decoder.feed(noise)
    assert decoder.feed(b"\x7e" + shdlc.reply(3, b"\x01\x02"))[-1] == shdlc.Reply(0, 3, 0, b"\x01\x02")


@given(st.integers(0, 7), st.integers(1, 255))
def test_shdlc_refuses_a_frame_with_a_changed_byte(position, change):
    frame = bytearray(shdlc.reply(3, struct.pack(">hhHH", 4500, 4900, 30000, 15000)))
    frame[1 + position] ^= change
    intact = shdlc.Reply(0, 3, 0, struct.pack(">hhHH", 4500, 4900, 30000, 15000))
    assert intact not in shdlc.ReplyDecoder().feed(bytes(frame))


def test_known_frames_of_the_data_sheets():
    assert shdlc.request(0x00, b"\x00") == bytes.fromhex("7E00000100FE7E")
    assert winsen.command(winsen.READ) == bytes.fromhex("FF0186000000000079")
    assert winsen.command(winsen.MODE, winsen.QUESTION_AND_ANSWER) == bytes.fromhex("FF01784100000000" + "46")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_winsen_finds_every_frame_between_noise_without_its_header(before, after):
    body = bytes((0x86, 1, 2, 0x02, 1, 2, 0))
    frame = b"\xff" + body + bytes((-sum(body) & 0xFF,))
    stream = before.replace(b"\xff", b"") + frame + after.replace(b"\xff", b"")
    found = winsen.FrameFinder().feed(stream)
    assert [reply.concentration for reply in found] == [25.8]


@given(st.binary(max_size=9))
def test_winsen_never_takes_other_bytes_for_a_reply(data):
    reply = winsen.parse_reply(data)
    assert reply is None or (len(data) == 9 and data[8] == winsen.checksum(data))


@given(st.text(max_size=120))
def test_bme688_text_that_is_no_line_gives_nothing_and_never_raises(text):
    step = bme688.parse_line(text)
    assert step is None or 0 <= step.index < 10


@pytest.mark.parametrize("column", range(1, 10))
def test_bme688_a_line_without_one_of_its_fields_is_dropped(column):
    line = ",3,17,4200,176,100,34.05,27.77,100685.51,5832680.50,15.578987,9.358,;"
    assert bme688.parse_line(line) is not None
    fields = line.split(",")
    assert bme688.parse_line(",".join(fields[:column] + fields[column + 1 :])) is None


def test_bme688_a_lost_digit_in_the_resistance_is_noticed():
    assert bme688.parse_line(",3,17,4200,176,100,34.05,27.77,100685.51,583280.50,15.578987,9.358,;") is None


def test_bme688_a_missing_step_drops_the_cycle_not_the_next():
    collector = bme688.CycleCollector()
    steps = [bme688.HeaterStep(index, 0, 30.0, 40.0, 1e5, 1e5, True) for index in range(10)]
    assert all(collector.add(step) is None for step in steps[:4] + steps[5:])
    assert [collector.add(step) for step in steps][-1] == steps


@given(st.lists(st.text(max_size=40), max_size=20))
def test_csv_lines_of_any_text_never_raise(lines):
    decoder = mox_csv.CsvDecoder()
    for line in lines:
        decoder.feed(line)


def test_csv_columns_are_found_by_name_in_any_order_with_units():
    decoder = mox_csv.CsvDecoder()
    assert decoder.feed("humidity,VOC[{ticks}],time_ms,TGS2620") is None
    reading = decoder.feed("50,30000,1000,41250.5")
    assert reading is not None
    assert (reading.channels, reading.units) == (("VOC", "TGS2620"), ("{ticks}", "Ohm"))
    assert reading.relative_humidity == pytest.approx(0.5)
    for bad in ("50,30000,1000", "50,30000,1000,nan", "50,30000,1000,-3", "50,30000,1000,1,2", "50,x,1000,1"):
        assert decoder.feed(bad) is None


@given(st.lists(st.binary(max_size=30)))
def test_lines_come_out_the_same_however_the_stream_is_cut(pieces):
    stream = b"".join(pieces)
    splitter = LineSplitter()
    in_pieces = [line for piece in pieces for line in splitter.feed(piece)]
    assert in_pieces == LineSplitter().feed(stream)
