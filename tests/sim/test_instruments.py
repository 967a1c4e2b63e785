from __future__ import annotations

import os
import select
from dataclasses import replace
from pathlib import Path

import serial

from inspection_robot.radiation.drivers import find_detector
from inspection_sim.instruments import Instruments, ports
from inspection_sim.simulation import Simulation, load
from inspection_sim.speech import Microphone, synthesise


def read_for(port: serial.Serial, want: bytes, tries: int = 50) -> bytes:
    data = b""
    for _ in range(tries):
        data += port.read(4096)
        if want in data:
            break
    return data


def test_the_detector_answers_on_its_port_with_counts_of_the_field(tmp_path: Path) -> None:
    simulation = Simulation(load("lost_source"))
    with (
        Instruments(tmp_path, simulation),
        serial.Serial(str(ports(tmp_path)["radiation"]), 115200, timeout=0.1) as port,
    ):

        def pulses() -> int:
            port.write(b"GET tubePulseCount\r\n")
            answer = read_for(port, b"\r\n")
            assert answer.startswith(b"OK ")
            return int(answer.split()[1])

        before = pulses()
        for _ in range(100):
            simulation.step()
        simulation.count_rate_cps = 1000.0
        for _ in range(4):
            simulation.ticks += 50
            counted = pulses()
        assert counted - before > 2000


def test_the_odor_board_prints_lines_as_simulated_time_goes_on(tmp_path: Path) -> None:
    simulation = Simulation(load("smuggled_meat"))
    with (
        Instruments(tmp_path, simulation) as instruments,
        serial.Serial(str(ports(tmp_path)["odor"]), 115200, timeout=0.1) as port,
    ):
        for _ in range(20):
            instruments.advance(0.1)
        data = read_for(port, b"2000,")
        assert b"time_ms," in data
        assert data.count(b"\r\n") >= 5


def test_a_fault_on_order_unplugs_the_device_and_plugs_it_in_again(tmp_path: Path) -> None:
    simulation = Simulation(load("sensor_faults"))
    with Instruments(tmp_path, simulation) as instruments:
        there = []
        for time_s in (39.0, 41.0, 56.0):
            simulation.ticks = round(time_s / 0.02)
            instruments.advance(0.1)
            there.append(ports(tmp_path)["radiation"].is_symlink())
        assert there == [True, False, True]


def test_garbage_on_order_arrives_as_bytes_that_are_no_protocol(tmp_path: Path) -> None:
    simulation = Simulation(load("sensor_faults"))
    with Instruments(tmp_path, simulation) as instruments:
        descriptor = os.open(ports(tmp_path)["radiation"], os.O_RDWR | os.O_NOCTTY)
        simulation.ticks = round(101.0 / 0.02)
        instruments.advance(0.1)
        ready, _, _ = select.select([descriptor], [], [], 2.0)
        assert ready
        assert len(os.read(descriptor, 4096)) > 10
        os.close(descriptor)


def test_passengers_speak_both_languages_at_sixteen_kilohertz() -> None:
    for text, language in (("May I bring apples?", "en"), ("可以带苹果吗？", "zh")):
        speech = synthesise(text, language)
        assert 0.8 * 16_000 < len(speech) < 5 * 16_000
        assert abs(speech).max() > 0.05


def test_a_question_is_heard_when_its_asker_stands_before_the_robot() -> None:
    simulation = Simulation(load("watch_list_traveller"))
    microphone = Microphone(simulation)
    quiet, loud = [], []
    while simulation.time_s < 22.0:
        for _ in range(5):
            simulation.step()
        block = microphone.block()
        assert len(block) == 1600
        (loud if abs(block.astype(int)).max() > 1000 else quiet).append(simulation.time_s)
    assert min(quiet) < 1.0
    assert len(loud) > 10


def test_a_scenario_may_carry_a_gmc_counter_that_the_driver_finds_by_itself(tmp_path: Path) -> None:
    setting = load("lost_source")
    simulation = Simulation(replace(setting, scenario=replace(setting.scenario, radiation_detector="gmc")))
    with Instruments(tmp_path, simulation):
        driver, identity = find_detector(str(ports(tmp_path)["radiation"]))
        assert identity.model.startswith("GQ GMC")
        simulation.count_rate_cps = 500.0
        simulation.ticks += 50 * 4
        totals = [driver.read().total_counts for _ in range(4)]
        driver.close()
    assert 4 * 400 < totals[-1] < 4 * 600
    assert totals == sorted(totals)
