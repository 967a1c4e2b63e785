from __future__ import annotations

from typing import Any

import yaml

from inspection_contract.resources import share


def load(name: str) -> Any:
    return yaml.safe_load((share() / "config" / name).read_text(encoding="utf-8"))


def test_nav2_plans_with_what_drive_lets_pass() -> None:
    nav2, drive = load("nav2.yaml"), load("drive.yaml")["/**/drive"]["ros__parameters"]
    smoother = nav2["velocity_smoother"]["ros__parameters"]
    assert smoother["max_velocity"] == [drive["linear"], 0.0, drive["angular"]]
    assert smoother["min_velocity"] == [-drive["reverse"], 0.0, -drive["angular"]]
    assert smoother["max_accel"][0] == drive["acceleration"]
    assert smoother["max_decel"][0] == -drive["deceleration"]
    follow = nav2["controller_server"]["ros__parameters"]["FollowPath"]
    assert follow["desired_linear_vel"] <= drive["linear"]


def test_only_drive_moves_the_base() -> None:
    monitor = load("nav2.yaml")["collision_monitor"]["ros__parameters"]
    assert monitor["cmd_vel_out_topic"] == "cmd_vel_nav"


def test_every_nav2_node_is_brought_up_and_configured() -> None:
    nav2 = load("nav2.yaml")
    managers = ("lifecycle_manager_localization", "lifecycle_manager_navigation")
    managed = {name for manager in managers for name in nav2[manager]["ros__parameters"]["node_names"]}
    assert managed == nav2.keys() - {*managers, "local_costmap", "global_costmap"}
