"""Print the underlay packages that this system lacks, one a line.

A package of the same name found anywhere outside this underlay's own install folder (a real ROS 2 installation, or
another workspace) is never built here, so that the real one is not shadowed.

    python3 ros2_ws/underlay/missing.py        # reads AMENT_PREFIX_PATH and CMAKE_PREFIX_PATH
"""

from __future__ import annotations

import os
from pathlib import Path

UNDERLAY = Path(__file__).resolve().parent


def missing() -> list[str]:
    """Names of the packages below this folder that no prefix outside it provides, sorted."""
    prefixes = [
        Path(entry)
        for variable in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")
        for entry in os.environ.get(variable, "").split(os.pathsep)
        if entry and not Path(entry).resolve().is_relative_to(UNDERLAY)
    ]
    index = Path("share/ament_index/resource_index/packages")
    names = sorted(path.parent.name for path in UNDERLAY.glob("*/package.xml"))
    return [name for name in names if not any((prefix / index / name).is_file() for prefix in prefixes)]


if __name__ == "__main__":
    print(*missing(), sep="\n")
