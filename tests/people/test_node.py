from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
import pytest

from tests.people.test_sightings import ANGLES, STEP, scan_of

pytestmark = pytest.mark.ros


def test_a_walker_in_the_scan_becomes_a_track_that_the_thermal_face_belongs_to(ros_graph: Any) -> None:
    from geometry_msgs.msg import TransformStamped
    from inspection_interfaces.msg import PersonArray, Screening, ScreeningArray
    from nav_msgs.msg import OccupancyGrid
    from sensor_msgs.msg import CameraInfo, LaserScan
    from tf2_msgs.msg import TFMessage

    from inspection_robot.people.node import PeopleNode
    from inspection_robot.ros import qos
    from inspection_robot.ros.frames import DYNAMIC_QOS

    people = ros_graph.record(PersonArray, "people", qos.EVENT)
    node = ros_graph.make(PeopleNode)
    ros_graph.activate(node)
    probe = ros_graph.probe
    make = {
        "tf": probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS),
        "map": probe.create_publisher(OccupancyGrid, "map", qos.MAP),
        "scan": probe.create_publisher(LaserScan, "scan", qos.SENSOR),
        "info": probe.create_publisher(CameraInfo, "thermal/camera_info", qos.SENSOR),
        "faces": probe.create_publisher(ScreeningArray, "thermal/screenings", qos.EVENT),
    }
    grid = OccupancyGrid()
    grid.info.resolution, grid.info.width, grid.info.height = 0.1, 140, 140
    grid.info.origin.position.x = grid.info.origin.position.y = -7.0
    grid.data = array.array("b", bytes(140 * 140))
    make["map"].publish(grid)
    clock = iter(range(10_000))

    def step() -> bool:
        tick = next(clock)
        now = probe.get_clock().now().to_msg()
        x = 2.0 + 0.002 * tick
        transforms = []
        for child, rotation in (("lidar_link", (0, 0, 0, 1)), ("thermal_optical_frame", (-0.5, 0.5, -0.5, 0.5))):
            transform = TransformStamped(child_frame_id=child)
            transform.header.stamp, transform.header.frame_id = now, "map"
            r = transform.transform.rotation
            r.x, r.y, r.z, r.w = (float(value) for value in rotation)
            transforms.append(transform)
        make["tf"].publish(TFMessage(transforms=transforms))
        scan = LaserScan(angle_min=float(ANGLES[0]), angle_increment=float(STEP), range_max=20.0)
        scan.header.stamp, scan.header.frame_id = now, "lidar_link"
        scan.ranges = scan_of([(x, 0.0, 0.2)]).astype(np.float32).tolist()
        make["scan"].publish(scan)
        info = CameraInfo(width=160, height=120)
        info.k = np.array([150.0, 0, 79.5, 0, 150.0, 59.5, 0, 0, 1])
        make["info"].publish(info)
        face = Screening(track="5", box_x=72.0, box_y=52.0, box_width=15.0, box_height=15.0, distance_m=x)
        array_message = ScreeningArray(screenings=[face])
        array_message.header.stamp, array_message.header.frame_id = now, "thermal_optical_frame"
        make["faces"].publish(array_message)
        return bool(people) and any(len(person.sources) == 2 for person in people[-1].people)

    ros_graph.spin_until(step)
    (person,) = people[-1].people
    assert person.aliases == ["thermal/5"]
    assert set(person.sources) == {"lidar", "thermal"}
    assert person.pose.pose.position.x == pytest.approx(2.0, abs=0.8)
    assert people[-1].header.frame_id == "map"
    assert math.isfinite(person.height_m)
    before = person.track
    node.trigger_deactivate()
    node.trigger_activate()
    people.clear()
    ros_graph.spin_until(step)
    assert people[-1].people[0].track != before


def test_a_map_whose_size_does_not_fit_is_a_fault_and_no_crash(ros_graph: Any) -> None:
    from inspection_interfaces.msg import Fault
    from nav_msgs.msg import OccupancyGrid

    from inspection_robot.people.node import PeopleNode
    from inspection_robot.ros import qos

    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    ros_graph.activate(ros_graph.make(PeopleNode))
    maps = ros_graph.probe.create_publisher(OccupancyGrid, "map", qos.MAP)
    broken = OccupancyGrid()
    broken.info.resolution, broken.info.width, broken.info.height = 0.1, 10, 10
    broken.data = array.array("b", bytes(5))
    maps.publish(broken)
    ros_graph.spin_until(lambda: any(fault.code == "people.map_broken" for fault in faults))
