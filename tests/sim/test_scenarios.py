from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_sim.scenario import read_scenario
from inspection_sim.simulation import SCENARIOS, Setting, Simulation, load
from inspection_sim.truth import planted, summary

NAMES = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
WANTED = {
    "quiet_hall", "morning_arrivals", "medical_patient", "smuggled_meat", "lost_source", "watch_list_traveller",
    "sensor_faults", "radio_outage", "crowded_screening",
}  # fmt: skip


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(["name", "world", "seed", "crowd", "passengers", "id", "x"])
ANY_YAML = st.recursive(LEAVES, lambda c: st.lists(c, max_size=3) | st.dictionaries(KEYS, c, max_size=4), max_leaves=12)


def test_the_scenarios_that_the_demo_promises_are_there() -> None:
    assert set(NAMES) >= WANTED


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_loads_and_is_called_as_its_file(name: str) -> None:
    setting = load(name)
    assert setting.scenario.name == name
    truth = summary(setting)
    assert truth["people"] == len(setting.people) > 0


def test_the_truth_follows_from_what_is_planted() -> None:
    def truth(name: str) -> list[tuple[str, str]]:
        return [(item.what, item.subject) for item in planted(read_scenario(SCENARIOS / f"{name}.yaml"))]

    assert truth("quiet_hall") == []
    assert truth("morning_arrivals") == [("fever", "feverish")]
    assert truth("medical_patient") == [("radiation", "patient")]
    assert truth("smuggled_meat") == [("cold", "smuggler"), ("odor", "smuggler")]  # coffee is allowed
    assert truth("lost_source") == [("radiation", "lost_source")]
    assert truth("watch_list_traveller") == [("watch_list", "wanted")]
    assert truth("crowded_screening") == [
        ("fever", "masked_fever"), ("fever", "turned_fever"), ("hot", "overheating_bag"), ("cold", "frozen_carton"),
    ]  # fmt: skip


def test_masks_cover_mouth_and_nose_and_nothing_else() -> None:
    models = {model.name: model for model in load("crowded_screening").world.models}

    def parts(name: str) -> dict[str, float | None]:
        return {visual.name: visual.temperature_k for visual in models[name].visuals}

    masked, bare = parts("healthy_masked"), parts("healthy_plain")
    assert set(bare) - set(masked) == {"mouth", "nose"}
    assert set(masked) - set(bare) == {"mask"}
    assert masked["canthus_left"] == bare["canthus_left"]
    mask, face = masked["mask"], bare["face"]
    assert mask is not None and face is not None
    assert mask < face - 2.0


def test_heads_turn_away_from_the_robot_as_far_as_asked() -> None:
    setting = load("crowded_screening")
    simulation = Simulation(setting)
    while simulation.time_s < 60.0:
        simulation.step()
        here = {name: (x, y, yaw) for name, x, y, yaw in simulation.people_present()}
        x, y, yaw = here.get("healthy_turned", (99.0, 99.0, 0.0))
        towards = np.arctan2(simulation.pose[1] - y, simulation.pose[0] - x)
        away = np.rad2deg((yaw - towards + np.pi) % (2 * np.pi) - np.pi)
        if abs(away - 110.0) < 5.0 and np.hypot(x - simulation.pose[0], y - simulation.pose[1]) < 1.6:
            return
    pytest.fail("nobody stood before the robot and looked away")


def test_a_turn_that_counts_from_nothing_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load((SCENARIOS / "crowded_screening.yaml").read_text())
    for stop in ({"place": "robot", "turned_deg": 90}, {"place": "robot", "face_robot": True, "turned_deg": 200}):
        content["passengers"][0]["stops"] = [stop]
        (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
        with pytest.raises(InputError, match="turned"):
            read_scenario(tmp_path / "a.yaml")


def run(setting: Setting, seconds: float) -> list[bytes]:
    simulation, trace = Simulation(setting), []
    for _ in range(round(seconds / 0.02)):
        simulation.command(0.4, 0.1)
        simulation.step()
        bodies = simulation.bodies
        trace.append(
            bodies.position.tobytes()
            + bodies.yaw.tobytes()
            + repr(simulation.base).encode()
            + repr(simulation.count_rate_cps).encode()
        )
    return trace


def test_the_same_seed_gives_the_same_truth_bit_for_bit() -> None:
    one, two = run(load("medical_patient"), 6.0), run(load("medical_patient"), 6.0)
    assert one == two


def test_another_seed_gives_another_crowd() -> None:
    assert run(load("medical_patient", seed=1), 0.2) != run(load("medical_patient", seed=2), 0.2)


def test_a_planted_passenger_enters_in_time_and_visits_the_robot_face_to_face(arrivals: Setting) -> None:
    simulation = Simulation(arrivals)
    seen_s = None
    while simulation.time_s < 25.0:
        simulation.step()
        seen_s = seen_s or next(
            (simulation.time_s for name, *_ in simulation.people_present() if name == "feverish"), None
        )
    assert seen_s == pytest.approx(5.0, abs=2.0)
    _, x, y, yaw = next(person for person in simulation.people_present() if person[0] == "feverish")
    way = np.array([simulation.base.x - x, simulation.base.y - y])
    assert 0.7 < np.linalg.norm(way) < 1.3
    assert way @ [np.cos(yaw), np.sin(yaw)] > 0.8 * np.linalg.norm(way)


def test_nobody_stands_in_a_wall_and_the_hall_stays_full(arrivals: Setting) -> None:
    simulation = Simulation(arrivals)
    while simulation.time_s < 20.0:
        simulation.step()
        people = np.array([[x, y] for _, x, y, _ in simulation.people_present()])
        room, _ = simulation.setting.grid.clear(people[:, 0], people[:, 1])
        assert room.min() > 0.0
    assert len(people) >= 30


def test_the_robot_stops_at_a_wall_and_the_touch_is_counted() -> None:
    simulation = Simulation(load("quiet_hall"))
    simulation.base = type(simulation.base)(-8.0, 11.0, 0.0)  # before the northern partition
    for _ in range(400):
        simulation.command(0.8, 0.0)
        simulation.step()
    room, _ = simulation.setting.grid.clear(np.array([simulation.base.x]), np.array([simulation.base.y]))
    assert simulation.base.contacts == 1
    assert 0.15 < room[0] < 0.45


def test_a_robot_whose_master_falls_silent_stops() -> None:
    simulation = Simulation(load("quiet_hall"))
    simulation.command(0.5, 0.0)
    for _ in range(25):
        simulation.step()
    assert simulation.base.v > 0.4
    for _ in range(75):
        simulation.step()
    assert simulation.base.v == 0.0


def test_the_count_rate_rises_as_the_patient_comes_near() -> None:
    simulation = Simulation(load("medical_patient"))
    rates = []
    while simulation.time_s < 60.0:
        simulation.step()
        rates.append(simulation.count_rate_cps)
    assert rates[10] == pytest.approx(0.256, abs=0.01)
    assert max(rates) > 2.5 * 0.256


def test_the_smell_of_a_bag_reaches_a_nose_beside_it() -> None:
    simulation = Simulation(load("baggage_hall_check"))
    simulation.base = type(simulation.base)(7.0, 2.2, 0.0)
    for _ in range(1000):
        simulation.step()
    assert simulation.smells_ppm()["shrimp"] > 0.0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"robot": "moon"}, "no place 'moon'"),
        ({"world": "moon"}, "no such file"),
        ({"sead": 3}, "unknown key sead"),
        ({"seed": "seven"}, "int expected"),
        ({"duration_s": -1}, "outside 1..86400"),
        ({"duration_s": float("nan")}, "finite"),
        ({"passengers": [{"id": "a", "enters": "arrivals_north"}]}, "leaves is missing"),
        ({"passengers": [{"id": "a", "enters": "arrivals_north", "leaves": "nowhere"}]}, "no place 'nowhere'"),
        (
            {
                "passengers": [
                    {
                        "id": "a",
                        "enters": "exit_north",
                        "leaves": "exit_south",
                        "source": {"nuclide": "Xx-1", "activity_mbq": 1},
                    }
                ]
            },
            "Xx-1",
        ),
        (
            {"passengers": [{"id": "a", "enters": "exit_north", "leaves": "exit_south", "core_temperature_c": 60}]},
            "outside 30..43",
        ),
        (
            {
                "passengers": [
                    {"id": "a", "enters": "exit_north", "leaves": "exit_south", "odor": {"substance": "gold"}}
                ]
            },
            "gold",
        ),
        ({"objects": [{"id": "a", "model": "ghost", "x": 0, "y": 0}]}, "no model 'ghost'"),
        ({"objects": [{"id": "a", "model": "carton", "x": 0, "y": 0}] * 2}, "two things are called a"),
        ({"faults": [{"at_s": 1, "for_s": 1, "device": "toaster", "fault": "burnt"}]}, "no device 'toaster'"),
        ({"faults": [{"at_s": 1, "for_s": 1, "device": "lidar", "fault": "burnt"}]}, "not 'burnt'"),
        ({"crowd": {"passengers": 5}}, "needs doors"),
        ({"crowd": [1]}, "mapping expected"),
    ],
)
def test_a_scenario_that_names_absent_things_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, object], fault: str
) -> None:
    content = yaml.safe_load((SCENARIOS / "quiet_hall.yaml").read_text()) | change
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=fault) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_scenario_that_is_missing_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such scenario"):
        load("does_not_exist")
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(InputError, match="no YAML"):
        load(tmp_path / "x.yaml")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_YAML)
def test_any_yaml_is_a_scenario_or_an_input_error(tmp_path: Path, content: object) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError):
        read_scenario(path)


def test_a_place_in_a_wall_is_refused(tmp_path: Path) -> None:
    from inspection_sim.world.grid import floor_plan, way_field
    from inspection_sim.world.sdf import read_world

    grid = floor_plan(read_world(SCENARIOS.parent / "worlds" / "terminal.sdf"))
    with pytest.raises(InputError, match="too close to a solid"):
        way_field(grid, -6.0, 11.0, 0.25)
    with pytest.raises(InputError, match="outside the map"):
        way_field(grid, 600.0, 11.0, 0.25)


def test_a_scenario_that_is_held_back_begins_later_while_the_hall_goes_on() -> None:
    simulation = Simulation(load("radio_outage"))  # planted at 20 s, radio down from 15 s
    while simulation.time_s < 24.0:
        simulation.step()
        if simulation.time_s < 10.0:
            simulation.hold(0.02)
    assert simulation.scenario_time_s == pytest.approx(14.0, abs=0.1)
    assert simulation.active_faults() == ()
    assert "feverish" not in {name for name, *_ in simulation.people_present()}
    while simulation.time_s < 32.0:
        simulation.step()
    assert simulation.active_faults()[0].device == "radio"
    assert "feverish" in {name for name, *_ in simulation.people_present()}
