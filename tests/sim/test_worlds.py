from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_sim.simulation import MODELS, WORLDS
from inspection_sim.world.grid import floor_plan, solids_of, way_field
from inspection_sim.world.scene import build_scene
from inspection_sim.world.sdf import NAMESPACE, read_world, transform

WORLD_FILES = sorted(WORLDS.glob("*.sdf"))
MODEL_FILES = sorted(MODELS.glob("*/model.sdf"))
DATA_ATTRIBUTES = {
    "air": {"temperature_c", "relative_humidity", "wind"},
    "place": {"id", "kind", "x", "y", "yaw"},
    "attenuation": {"material"},
    "document": {"kind", "format", "text"},
    "emissivity": set(),
    "patch": set(),
}


def test_there_are_the_three_worlds() -> None:
    assert {path.stem for path in WORLD_FILES} >= {"terminal", "corridor", "baggage_hall"}


@pytest.mark.parametrize("path", WORLD_FILES, ids=lambda p: p.stem)
def test_every_place_of_a_world_can_be_reached_from_every_other(path: Path) -> None:
    world = read_world(path)
    grid = floor_plan(world)
    first = world.places[0]
    cost, _ = way_field(grid, first.x, first.y, 0.3)
    rows, columns = grid.cell(np.array([p.x for p in world.places]), np.array([p.y for p in world.places]))
    unreachable = [p.name for p, c in zip(world.places, cost[rows, columns], strict=True) if not np.isfinite(c)]
    assert unreachable == []
    assert any(place.kind == "dock" for place in world.places)


@pytest.mark.parametrize("path", WORLD_FILES, ids=lambda p: p.stem)
def test_every_world_compiles_to_a_scene_and_names_known_materials(path: Path) -> None:
    world = read_world(path)
    scene = build_scene(world)
    assert scene.model.ngeom == sum(len(model.visuals) for model in world.models) == len(scene.names)
    assert len(solids_of(world).materials) > 0


@pytest.mark.parametrize("path", WORLD_FILES + MODEL_FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_data_elements_follow_their_schema(path: Path) -> None:
    from defusedxml import ElementTree

    for element in ElementTree.parse(path).getroot().iter():
        if element.tag.startswith(f"{{{NAMESPACE}}}"):
            name = element.tag.rpartition("}")[2]
            assert name in DATA_ATTRIBUTES
            assert set(element.attrib) <= DATA_ATTRIBUTES[name]


@pytest.mark.parametrize("path", WORLD_FILES + MODEL_FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_libsdformat_accepts_every_file_without_a_word(path: Path) -> None:
    program = shutil.which("ign") or shutil.which("gz")
    # The program is there without libsdformat's part of it, too: then it knows no `sdf`.
    offer = subprocess.run([program, "sdf", "--help"], capture_output=True, text=True) if program else None
    if program is None or offer is None or "Utilities for SDF" not in offer.stdout:
        pytest.skip("libsdformat's command line is not installed (Debian: ignition-tools libsdformat-dev)")
    done = subprocess.run(
        [program, "sdf", "-k", str(path)], capture_output=True, text=True, env={**os.environ, "SDF_PATH": str(MODELS)}
    )
    complaints = [line for line in done.stderr.splitlines() if line.strip() and "backward.so" not in line]
    assert complaints == []
    assert "Valid" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("<box><size>0.2 8 2</size></box>", "<mesh><uri>a.dae</uri></mesh>", "mesh"),
        ("<box><size>0.2 8 2</size></box>", "<box><size>0.2 8</size></box>", "3 finite numbers"),
        ("<box><size>0.2 8 2</size></box>", "<box><size>0.2 -8 2</size></box>", "positive"),
        ("<box><size>0.2 8 2</size></box>", "<box><size>0.2 nan 2</size></box>", "3 finite numbers"),
        ("<pose>3.1 0 1 0 0 0</pose>", "<pose>3.1 0 1</pose>", "6 finite numbers"),
        ('version="1.9"', 'version="1.10"', "not an SDF 1.9"),
        ('<model name="wall">', '<model name="floor">', "two models named floor"),
        ('<inspection:place id="start"', '<actor name="a"/><inspection:place id="start"', "<actor>"),
        ("</world>", "", "well-formed"),
        (
            '<inspection:place id="start"',
            '<include><uri>model://ghost</uri></include><inspection:place id="start"',
            "no such file",
        ),
    ],
)
def test_a_world_with_what_is_not_in_the_subset_is_refused_by_name(room: Path, old: str, new: str, fault: str) -> None:
    text = room.read_text()
    assert old in text
    room.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=fault):
        read_world(room)


def test_an_unknown_material_is_refused(room: Path) -> None:
    room.write_text(room.read_text().replace("concrete", "unobtainium"))
    with pytest.raises(InputError, match="unobtainium"):
        solids_of(read_world(room))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_world_are_an_input_error(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".sdf") as file:
        file.write(data)
        file.flush()
        with pytest.raises(InputError):
            read_world(Path(file.name))


def test_poses_relative_to_a_link_are_resolved(room: Path) -> None:
    room.write_text(
        room.read_text().replace(
            "</world>",
            """<model name="arm"><link name="a"><pose>1 0 0 0 0 1.5707963</pose></link>
            <link name="b"><pose relative_to="a">1 0 0 0 0 0</pose>
            <visual name="v"><geometry><sphere><radius>0.1</radius></sphere></geometry></visual>
            </link></model></world>""",
        )
    )
    arm = next(model for model in read_world(room).models if model.name == "arm")
    assert arm.visuals[0].pose[:3, 3] == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)


def test_poses_that_refer_to_each_other_are_refused(room: Path) -> None:
    room.write_text(
        room.read_text().replace(
            "</world>",
            """<model name="arm"><link name="a"><pose relative_to="b">1 0 0 0 0 0</pose></link>
            <link name="b"><pose relative_to="a">1 0 0 0 0 0</pose></link></model></world>""",
        )
    )
    with pytest.raises(InputError, match="circular"):
        read_world(room)


@given(st.tuples(*[st.floats(-3, 3) for _ in range(6)]))
def test_a_pose_is_a_rigid_transform(values: tuple[float, ...]) -> None:
    matrix = transform(values)
    assert matrix[:3, :3] @ matrix[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)


def test_clearance_is_the_distance_to_the_wall(room: Path) -> None:
    grid = floor_plan(read_world(room), resolution=0.05)
    value, gradient = grid.clear(np.array([2.0, 3.1]), np.array([0.0, 0.0]))
    assert value[0] == pytest.approx(1.0, abs=0.06)
    assert gradient[0] == pytest.approx([-1.0, 0.0], abs=0.1)
    assert value[1] < 0
