"""One small hall and one small run, shared by the simulator's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspection_sim.simulation import Setting, load

ROOM = """<?xml version="1.0"?>
<sdf version="1.9" xmlns:inspection="urn:inspection-robot:world">
  <world name="room">
    <inspection:air temperature_c="22" relative_humidity="0.45" wind="0 0"/>
    <model name="floor"><static>true</static><link name="link">
      <visual name="floor"><geometry><plane><normal>0 0 1</normal><size>12 12</size></plane></geometry></visual>
      <collision name="floor_collision">
        <geometry><plane><normal>0 0 1</normal><size>12 12</size></plane></geometry></collision>
    </link></model>
    <model name="wall"><static>true</static><pose>3.1 0 1 0 0 0</pose><link name="link">
      <visual name="wall"><geometry><box><size>0.2 8 2</size></box></geometry></visual>
      <collision name="wall_collision"><geometry><box><size>0.2 8 2</size></box></geometry>
        <inspection:attenuation material="concrete"/></collision>
    </link></model>
    <inspection:place id="start" kind="open" x="0" y="0"/>
    <inspection:place id="west" kind="door" x="-5" y="0"/>
    <inspection:place id="east" kind="door" x="5" y="0"/>
  </world>
</sdf>
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A bare room with one wall, x = 3.0..3.2 m."""
    path = tmp_path / "worlds" / "room.sdf"
    path.parent.mkdir()
    path.write_text(ROOM, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def arrivals() -> Setting:
    """The scenario with forty passengers."""
    return load("morning_arrivals")
