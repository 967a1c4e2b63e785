"""Ships' positions from AIS: decoded sentences, the port map, receivers over TCP, UDP and files."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect
from pyais import encode_dict

from inspection_center.exchange.ais import EARTH_RADIUS_M, KNOT_M_S, Decoder, decode_lines, from_plan, to_plan
from inspection_center.exchange.ships import list_ships, store
from inspection_center.settings import MapOrigin, Settings
from tests.center.browsing import needs_chromium, sign_in, tab
from tests.center.running import RunningCenter
from tests.center_rules.web import get

# The worked example of ITU-R M.1371 decoders (gpsd's AIVDM document): message 1 and a two-sentence message 5.
POSITION = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C"
VOYAGE = (
    b"!AIVDM,2,1,3,B,55P5TL01VIaAL@7WKO@mBplU@<PDhh000000001S;AJ::4A80?4i@E53,0*3E",
    b"!AIVDM,2,2,3,B,1@0000000000000,2*55",
)
ORIGIN = MapOrigin(latitude_deg=31.36, longitude_deg=121.62, turn_deg=20.0)


def sentences(**fields: Any) -> list[bytes]:
    message = {"msg_type": 1, "mmsi": 413000001, "lat": 31.361, "lon": 121.621, "speed": 10.0, "course": 90.0, **fields}
    return [line.encode() for line in encode_dict(message, radio_channel="A", talker_id="AI")]


def test_the_published_example_is_decoded() -> None:
    (report,), refused = decode_lines([POSITION])
    assert refused == 0
    assert report.mmsi == 477553000
    assert report.latitude_deg == pytest.approx(47.582833, abs=1e-6)
    assert report.longitude_deg == pytest.approx(-122.345833, abs=1e-6)
    assert report.course_deg == 51.0
    assert report.heading_deg == 181.0
    assert report.navigation_status == 5


def test_a_message_of_two_sentences_is_put_together() -> None:
    decoder = Decoder()
    assert decoder.feed(VOYAGE[0]) == []
    (report,) = decoder.feed(VOYAGE[1])
    assert (report.mmsi, report.name, report.call_sign, report.imo) == (369190000, "MT.MITCHELL", "WDA9674", 6710932)


def test_values_that_mean_not_available_are_not_taken_for_readings() -> None:
    (report,), _ = decode_lines(sentences(lat=91.0, lon=181.0, speed=102.3, course=360.0, heading=511))
    assert (report.latitude_deg, report.speed_m_s, report.course_deg, report.heading_deg) == (None,) * 4


def test_speed_is_in_metres_a_second() -> None:
    (report,), _ = decode_lines(sentences(speed=10.0))
    assert report.speed_m_s == pytest.approx(10 * KNOT_M_S)


@pytest.mark.parametrize(
    "line",
    [POSITION[:-2] + b"00", POSITION[:20], b"!AIVDM", b"\xff" * 80, b"x" * 5000, b"$GPGGA,1,2", b"!AIVDM,1,1,,B,,0*25"],
)
def test_a_broken_line_says_nothing_and_the_next_one_does(line: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(line) == []
    assert len(decoder.feed(POSITION)) == 1


@given(st.lists(st.one_of(st.binary(max_size=90), st.sampled_from([POSITION, *VOYAGE])), max_size=20))
def test_no_lines_break_the_decoder(lines: list[bytes]) -> None:
    reports, refused = decode_lines(lines)
    assert refused >= 0
    assert all(0 < report.mmsi <= 999_999_999 for report in reports)


@given(st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(-180, 180))
def test_the_port_map_and_the_earth_lead_to_each_other(x: float, y: float, turn: float) -> None:
    latitude, longitude = from_plan(x, y, (31.36, 121.62), turn)
    back = to_plan(latitude, longitude, (31.36, 121.62), turn)
    assert math.dist(back, (x, y)) < 1e-5


def test_north_is_up_on_a_map_that_is_not_turned() -> None:
    degree = math.degrees(1000 / EARTH_RADIUS_M)
    assert to_plan(31.36 + degree, 121.62, (31.36, 121.62), 0.0) == pytest.approx((0.0, 1000.0), abs=1e-6)
    x, y = to_plan(0.0, -179.99, (0.0, 179.99), 0.0)
    assert (x, y) == pytest.approx((0.02 * math.pi / 180 * EARTH_RADIUS_M, 0.0), rel=1e-6)


def test_what_a_message_does_not_say_stays_as_it_was(running: RunningCenter) -> None:
    def hear(*lines: bytes) -> int:
        reports, _ = decode_lines(lines)
        return running.center.writer.run(lambda transaction: store(transaction, "test", reports))

    hear(*VOYAGE)
    with running.center.engine.connect() as connection:
        assert list_ships(connection, ORIGIN) == [], "not heard where it is"
    hear(*sentences(mmsi=369190000))
    hear(*sentences(mmsi=413000002, lat=31.36, lon=121.62))
    with running.center.engine.connect() as connection:
        ships = {ship["mmsi"]: ship for ship in list_ships(connection, ORIGIN)}
    assert ships[369190000]["name"] == "MT.MITCHELL"
    assert math.hypot(ships[413000002]["x"], ships[413000002]["y"]) < 1.0
    token = running.service_token("officer")

    assert {ship["mmsi"] for ship in get(running, "/api/v1/exchange/ships", token).json()} == set(ships)


@needs_chromium
def test_ships_are_on_the_port_map_of_the_command_page(browser: Browser, tmp_path: Path) -> None:
    with RunningCenter(tmp_path / "center", Settings(map_origin=ORIGIN)) as running:
        running.add_account("li", "officer")
        reports, _ = decode_lines([*VOYAGE, *sentences(mmsi=369190000, lat=31.3601, lon=121.6201)])
        running.center.writer.run(lambda transaction: store(transaction, "test", reports))
        with tab(browser, running) as page:
            sign_in(page, "li")
            expect(page.locator("#map .mark.ship")).to_have_count(1, timeout=20_000)
            expect(page.locator('#map [title="MT.MITCHELL"]')).to_be_visible()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


@contextmanager
def listening_for(tmp_path: Path, source: str) -> Iterator[Callable[[], set[int]]]:
    path = tmp_path / "partners.yaml"
    path.write_text(f"ais:\n  - {{name: mast, source: '{source}'}}\n", encoding="utf-8")
    with RunningCenter(tmp_path / "center", Settings(exchange=str(path), map_origin=ORIGIN)) as running:

        def heard() -> set[int]:
            with running.center.engine.connect() as connection:
                return {ship["mmsi"] for ship in list_ships(connection, ORIGIN)}

        yield heard


def test_a_recording_is_read(tmp_path: Path) -> None:
    file = tmp_path / "recording.nmea"
    file.write_bytes(b"\r\n".join([b"# a comment", *sentences(), b"rubbish", *sentences(mmsi=413000002)]))
    with listening_for(tmp_path, f"file:{file}") as heard:
        wait_for(lambda: heard() == {413000001, 413000002})


def test_datagrams_are_received(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        listening_for(tmp_path, f"udp:127.0.0.1:{port}") as heard,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender,
    ):

        def send() -> bool:
            sender.sendto(b"\n".join(sentences()), ("127.0.0.1", port))
            return heard() == {413000001}

        wait_for(send)


def test_a_receiver_that_broke_off_is_connected_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspection_center.exchange.receivers._AGAIN_S", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            for mmsi in (413000001, 413000002):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"\r\n".join(sentences(mmsi=mmsi)) + b"\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with listening_for(tmp_path, f"tcp:127.0.0.1:{server.getsockname()[1]}") as heard:
            wait_for(lambda: heard() == {413000001, 413000002})
        thread.join(5)
