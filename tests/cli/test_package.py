"""The root package: what colcon installs is what there is."""

import importlib
import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.data import REPOSITORY

SETUP = (REPOSITORY / "setup.py").read_text()


def executables():
    names = re.search(r"NODES = \((.*?)\)", SETUP, re.DOTALL)
    simulator = re.search(r"SIMULATOR_NODES = \((.*?)\)", SETUP, re.DOTALL)
    assert names and simulator
    found = {name: f"inspection_robot.{name}.node" for name in re.findall(r'"(\w+)"', names.group(1))}
    found |= {name: f"inspection_sim.ros.{name}" for name in re.findall(r'"(\w+)"', simulator.group(1))}
    return found | dict(re.findall(r'"(\w+) = ([\w.]+):main"', SETUP))


def test_every_node_folder_has_an_executable():
    folders = {path.parent.name for path in (REPOSITORY / "src" / "inspection_robot").glob("*/node.py")} - {"ros"}
    assert folders <= set(executables())


@pytest.mark.ros
@pytest.mark.parametrize("name", executables())
def test_every_executable_has_its_main(name):
    pytest.importorskip("rclpy", reason="ROS 2 is not here")
    assert callable(importlib.import_module(executables()[name]).main)


def test_every_executable_that_a_launch_file_names_is_installed():
    named = {
        node.get("exec")
        for path in (REPOSITORY / "launch").rglob("*.launch.xml")
        for node in ElementTree.parse(path).iter("node")
        if node.get("pkg") == "inspection_robot"
    }
    assert {name for name in named if "$" not in name} <= set(executables())
