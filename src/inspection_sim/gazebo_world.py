"""A scenario as one SDF file for Gazebo, with everybody in it.

Passengers and planted things are composed into the world exactly as for the built-in simulator; what Gazebo cannot know
(the namespaced data) stays in the file and is ignored there.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from inspection_sim.passengers import compose, make_crowd
from inspection_sim.scenario import check_against, check_models, read_scenario
from inspection_sim.simulation import MODELS, SCENARIOS, WORLDS
from inspection_sim.world.sdf import NAMESPACE, parse_world

PARKED_Z_M = -50.0


def write_world(name: str, path: Path) -> str:
    """Write the world of a scenario to a file and return the world's name.

    Raises:
        InputError: scenario, world or model is missing or broken.
    """
    scenario = read_scenario(SCENARIOS / f"{name}.yaml")
    check_models(scenario, {folder.name for folder in MODELS.iterdir()})
    file = WORLDS / f"{scenario.world}.sdf"
    root = compose(file, MODELS, scenario, make_crowd(scenario.crowd, np.random.default_rng([scenario.seed, 0])))
    world = parse_world(root, file, MODELS)
    check_against(scenario, world)
    ElementTree.register_namespace("inspection", NAMESPACE)
    for model in root.iter("model"):
        if model.find("static") is not None and model.findtext("static") == "false" and model.find("pose") is None:
            ElementTree.SubElement(model, "pose").text = f"0 0 {PARKED_Z_M:g} 0 0 0"
        _without_empty_collisions(model)
    path.write_text(ElementTree.tostring(root, encoding="unicode", xml_declaration=True), encoding="utf-8")
    return world.name


def _without_empty_collisions(model: ElementTree.Element) -> None:
    """Take passengers out of the physics: they are moved by pose, and Gazebo would let them fall or topple."""
    if model.findtext("static") != "false":
        return
    for link in model.findall("link"):
        for collision in link.findall("collision"):
            link.remove(collision)
        if link.find("gravity") is None:
            ElementTree.SubElement(link, "gravity").text = "false"
