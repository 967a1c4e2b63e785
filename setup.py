"""Build of the root package for colcon (ament_python)."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "inspection_robot"
ROOT = Path(__file__).parent
# Folders that a robot needs beside the code; installed under share/inspection_robot.
SHARED = ("launch", "config", "models", "sim")
NODES = (
    "thermal", "radiation", "odor", "documents", "people", "interception",
    "voice", "patrol", "drive", "bridge", "health", "operator",
)  # fmt: skip
SIMULATOR_NODES = ("simulator", "navigator", "state_publisher", "gazebo_thermal")


def shared_files() -> list[tuple[str, list[str]]]:
    """Every file of the shared folders with the folder it is installed in."""
    found: dict[str, list[str]] = {}
    for folder in SHARED:
        for path in sorted((ROOT / folder).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.is_file() and "cache" not in relative.parts and "__pycache__" not in relative.parts:
                found.setdefault(f"share/{NAME}/{relative.parent}", []).append(str(relative))
    return list(found.items())


setup(
    name=NAME,
    version="0.1.0",
    description="Control stack of an inspection-assist robot and its central inspection backend",
    author="Inspection Robot Maintainers",
    license="Apache-2.0",
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"": ["py.typed", "*.json", "*.npz", "*.yaml", "static/**/*", "templates/**/*"]},
    zip_safe=False,
    extras_require={"test": ["pytest"]},  # tells `colcon test` which runner to use
    data_files=[
        ("share/ament_index/resource_index/packages", [f"config/ament/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared_files(),
    ],
    entry_points={
        "console_scripts": [
            "robot = inspection_robot.cli.__main__:main",
            "inspection_center = inspection_center.command_line:main",
            *(f"{name} = inspection_robot.{name}.node:main" for name in NODES),
            "gazebo_mover = inspection_sim.gazebo_mover:main",
            *(f"{name} = inspection_sim.ros.{name}:main" for name in SIMULATOR_NODES),
        ]
    },
)
