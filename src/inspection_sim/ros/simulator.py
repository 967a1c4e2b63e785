"""The simulator as a process: publishes the robot's devices, takes its velocity, writes down the truth.

Cameras, which hold the interpreter's lock, and the stand-ins for Nav2 and robot_state_publisher are child processes.
Prints ``ready {…}`` when everything runs, ends by itself with the scenario's duration, and on SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped, Twist
from inspection_interfaces.action import Patrol
from inspection_interfaces.msg import Detection, Incident, RobotHealth
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState, Imu, LaserScan
from std_msgs.msg import Bool, Int16MultiArray, MultiArrayDimension, String
from tf2_msgs.msg import TFMessage

from inspection_contract.errors import InputError
from inspection_sim.instruments import Instruments, ports
from inspection_sim.radio import RadioLink
from inspection_sim.ros import messages, navigator, qos, state_publisher
from inspection_sim.ros.cameras import RGB_RATE_HZ, CameraProcess, Shot, rgb_camera, thermal_camera
from inspection_sim.ros.children import Child, program
from inspection_sim.sensors import base
from inspection_sim.sensors.lidar import LidarModel
from inspection_sim.sensors.localisation import Localisation, map_to_odom, wander
from inspection_sim.sensors.mounts import IMU, LIDAR
from inspection_sim.sensors.thermal_camera import ThermalCameraModel
from inspection_sim.simulation import TICK_S, Setting, Simulation, load
from inspection_sim.speech import BLOCK_S, RATE_HZ, Microphone
from inspection_sim.truth import TrajectoryWriter, write_parameters, write_summary

ODOMETRY_EVERY: Final = 2
IMU_EVERY: Final = 1
INSTRUMENTS_EVERY: Final = 5
LOCALISE_EVERY: Final = 5
REPORT_EVERY_S: Final = 5.0
LARGEST_LAG_S: Final = 0.5
"""Behind the wall clock by more than this, the simulator gives the lost time up instead of running after it."""
CALLBACKS_PER_TICK: Final = 20


@dataclass(frozen=True)
class Processes:
    """The simulator's child processes."""

    thermal: CameraProcess
    rgb: CameraProcess | None
    nodes: tuple[Child, ...]

    @staticmethod
    def start(setting: Setting, arguments: list[str], rgb: bool, with_navigator: bool) -> Processes:
        """Fork them; ``arguments`` are the ROS arguments of the command line."""
        nodes = [program(state_publisher.main, "state_publisher", arguments)]
        if with_navigator:
            nodes.append(program(navigator.main, "navigator", arguments))
        return Processes(
            CameraProcess(thermal_camera, setting, arguments),
            CameraProcess(rgb_camera, setting, arguments) if rgb else None,
            tuple(nodes),
        )

    def stop(self) -> None:
        """End them."""
        for process in (self.thermal, self.rgb, *self.nodes):
            if process is not None:
                process.stop()


class Simulator:
    """Wires a :class:`Simulation` to topics; one thread."""

    def __init__(self, setting: Setting, folder: Path, processes: Processes, radio: RadioLink | None) -> None:
        """Make publishers and subscriptions."""
        self.simulation = Simulation(setting)
        self.node = rclpy.create_node("simulator")
        self._lidar = LidarModel()
        self._thermal_hz = ThermalCameraModel().rate_hz
        self._generator = np.random.default_rng([setting.seed, 9])
        self._localisation = Localisation(np.zeros(3))
        self._thermal, self._rgb = processes.thermal, processes.rgb
        self._next_thermal_s = self._next_rgb_s = 0.0
        try:
            self._microphone: Microphone | None = Microphone(self.simulation)
        except RuntimeError as error:
            print(f"simulator: {error}", file=sys.stderr, flush=True)
            self._microphone = None
        self._open_topics()
        self._trajectory_file: TextIO = (folder / "trajectory.jsonl").open("w", encoding="utf-8", buffering=1)
        self._found_file: TextIO = (folder / "found.jsonl").open("w", encoding="utf-8", buffering=1)
        self._trajectory = TrajectoryWriter(self._trajectory_file)
        self._radio = radio
        self._radio_up: bool | None = None
        self._reference = ""
        self.robot_ready = False
        self.waiting = False
        """Before the scenario begins nobody looks at pictures: their time goes to the robot's start."""
        self._patrol = ActionClient(self.node, Patrol, "patrol")
        self._patrol_ordered = False

    @property
    def dropped_frames(self) -> int:
        """Pictures that the cameras could not keep up with."""
        return self._thermal.dropped + (self._rgb.dropped if self._rgb else 0)

    def tick(self, instruments: Instruments) -> None:
        """Go on by one tick and publish what falls due."""
        simulation = self.simulation
        instruments.reference = self._reference
        simulation.step()
        ticks, now = simulation.ticks, messages.stamp(simulation.time_s)
        self._clock.publish(Clock(clock=now))
        if ticks % IMU_EVERY == 0:
            self._imu.publish(
                messages.imu(now, IMU.frame, *base.inertial(simulation.base, simulation.unit, self._generator))
            )
        if ticks % ODOMETRY_EVERY == 0:
            state = simulation.base
            self._odom.publish(messages.odometry(now, state))
            self._tf.publish(
                TFMessage(
                    transforms=[
                        messages.transform(now, "odom", "base_link", state.odom_x, state.odom_y, state.odom_yaw)
                    ]
                )
            )
        if ticks % LOCALISE_EVERY == 0:
            self._localise(now)
        self._sense(now)
        if ticks % INSTRUMENTS_EVERY == 0:
            instruments.advance(INSTRUMENTS_EVERY * TICK_S)
        if ticks % round(BLOCK_S / TICK_S) == 0 and self._microphone is not None:
            self._publish_sound(self._microphone)
        if ticks % 50 == 0:
            self._battery.publish(messages.battery(now, simulation.base, simulation.charging()))
            self._publish_radio()
            self._order_patrol()
        self._trajectory.write(simulation)

    def close(self) -> None:
        """Close the files."""
        self._trajectory_file.close()
        self._found_file.close()
        self.node.destroy_node()

    def _open_topics(self) -> None:
        node = self.node
        self._clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self._scan = node.create_publisher(LaserScan, "scan", qos.SENSOR)
        self._odom = node.create_publisher(Odometry, "odom", qos.SENSOR)
        self._imu = node.create_publisher(Imu, "imu", qos.SENSOR)
        self._battery = node.create_publisher(BatteryState, "battery_state", qos.SENSOR)
        self._tf = node.create_publisher(TFMessage, "/tf", qos.TRANSFORM)
        self._sound = node.create_publisher(Int16MultiArray, "microphone/audio", qos.AUDIO)
        self._link = node.create_publisher(Bool, "simulation/radio", qos.STATE)
        self._map = node.create_publisher(OccupancyGrid, "map", qos.STATE)
        self._map.publish(messages.occupancy(messages.stamp(0.0), self.simulation.setting.grid))
        node.create_subscription(
            Twist, "cmd_vel", lambda m: self.simulation.command(m.linear.x, m.angular.z), qos.COMMAND
        )
        node.create_subscription(RobotHealth, "health", self._note_health, qos.STATE)
        node.create_subscription(PoseWithCovarianceStamped, "initialpose", self._relocalise, 1)
        node.create_subscription(String, "odor/reference", self._note_reference, qos.STATE)
        node.create_subscription(Detection, "detections", self._note_detection, qos.ALARM)
        node.create_subscription(Incident, "incidents", self._note_incident, qos.ALARM)

    def _localise(self, now: Any) -> None:
        state = self.simulation.base
        self._localisation = wander(self._localisation, LOCALISE_EVERY * TICK_S, self._generator)
        x, y, yaw = map_to_odom(self.simulation.pose, (state.odom_x, state.odom_y, state.odom_yaw), self._localisation)
        self._tf.publish(TFMessage(transforms=[messages.transform(now, "map", "odom", x, y, yaw)]))

    def _sense(self, now: Any) -> None:
        """Publish the scan and order pictures when they fall due."""
        simulation = self.simulation
        faults = {f.device: f.fault for f in simulation.active_faults()}
        if simulation.ticks % round(1.0 / self._lidar.rate_hz / TICK_S) == 0 and "lidar" not in faults:
            self._scan.publish(messages.scan(now, LIDAR.frame, self._lidar, simulation.scan(self._lidar)))
        if self.waiting:
            self._next_thermal_s = self._next_rgb_s = simulation.time_s
            return
        bodies = simulation.bodies
        if simulation.time_s >= self._next_thermal_s:
            self._next_thermal_s += 1.0 / self._thermal_hz
            self._thermal.shoot(
                Shot(simulation.time_s, simulation.pose, bodies.position, bodies.yaw, faults.get("thermal_camera", ""))
            )
        if self._rgb is not None and simulation.time_s >= self._next_rgb_s:
            self._next_rgb_s += 1.0 / RGB_RATE_HZ
            if self._rgb.alive():
                self._rgb.shoot(
                    Shot(simulation.time_s, simulation.pose, bodies.position, bodies.yaw, faults.get("rgb_camera", ""))
                )

    def _publish_sound(self, microphone: Microphone) -> None:
        message = Int16MultiArray(data=array.array("h", microphone.block().tobytes()))
        message.layout.dim = [MultiArrayDimension(label=str(RATE_HZ), size=len(message.data), stride=1)]
        self._sound.publish(message)

    def _publish_radio(self) -> None:
        up = not any(f.device == "radio" for f in self.simulation.active_faults())
        if up != self._radio_up:
            self._radio_up = up
            self._link.publish(Bool(data=up))
            if self._radio is not None:
                self._radio.switch(up)

    def _note_health(self, message: Any) -> None:
        """Notice when the robot is ready, and order the scenario's patrol then, as an operator would."""
        if self.robot_ready or not message.ready:
            return
        self.robot_ready = True

    def _order_patrol(self) -> None:
        """Send the scenario's route to the patrol node once both are there; a refused goal is sent again."""
        route = self.simulation.setting.scenario.route
        if not route or self._patrol_ordered or not self.robot_ready or not self._patrol.server_is_ready():
            return
        self._patrol_ordered = True

        def answered(future: Any) -> None:
            self._patrol_ordered = bool(future.result().accepted)

        self._patrol.send_goal_async(Patrol.Goal(route=route)).add_done_callback(answered)

    def _relocalise(self, message: Any) -> None:
        """Believe the operator's pose, as AMCL does; when it is wrong the error wears off with time."""
        pose = message.pose.pose
        told = np.array([pose.position.x, pose.position.y, messages.yaw_of(pose.orientation)])
        if message.header.frame_id == "map" and np.isfinite(told).all():
            error = told - np.array(self.simulation.pose)
            error[2] = np.arctan2(np.sin(error[2]), np.cos(error[2]))
            self._localisation = Localisation(error)

    def _note_reference(self, message: Any) -> None:
        self._reference = message.data

    def _note_detection(self, message: Any) -> None:
        position = message.pose.pose.pose.position
        known = message.pose.header.frame_id == "map"
        self._note("detection", message, message.kind, int(message.severity), position if known else None, "")

    def _note_incident(self, message: Any) -> None:
        severity = {"awaiting_officer": 3, "approved": 3, "approaching": 3, "contact": 3, "handed_over": 3}.get(
            message.state, 2
        )
        position = message.pose.pose.position
        known = message.header.frame_id == "map" and any(message.pose.covariance)
        self._note("incident", message, message.kind, severity, position if known else None, message.state)

    def _note(self, kind_of: str, message: Any, kind: str, severity: int, position: Any, state: str) -> None:
        measured = message.header.stamp
        line = {
            "t": measured.sec + measured.nanosec * 1e-9, "seen_t": round(self.simulation.time_s, 3), "type": kind_of,
            "kind": kind,
            "uuid": bytes(message.uuid.uuid).hex(), "severity": severity, "state": state,
            "confidence": float(message.confidence),
            "subject": message.subject, "x": None if position is None else position.x,
            "y": None if position is None else position.y,
        }  # fmt: skip
        self._found_file.write(json.dumps(line, allow_nan=True) + "\n")


def main() -> None:
    """Run the simulator as a process."""
    arguments = _parser().parse_args(remove_ros_args(sys.argv)[1:])
    extra = sys.argv[sys.argv.index("--ros-args") :] if "--ros-args" in sys.argv else []
    ros = ["--ros-args", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static", "-p", "use_sim_time:=true"]
    ros += ["-r", f"__ns:=/{arguments.robot_name}"] if arguments.robot_name else []
    ros = [*extra, *ros]
    try:
        setting = load(
            Path(arguments.scenario) if arguments.scenario.endswith(".yaml") else arguments.scenario, arguments.seed
        )
    except InputError as error:
        print(f"simulator: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    arguments.output.mkdir(parents=True, exist_ok=True)
    links = ports(arguments.output)
    write_summary(setting, arguments.output)
    write_parameters(setting, links, arguments.output / "robot.yaml")  # the robot may start beside us
    processes = Processes.start(setting, ros, arguments.rgb == "on", not arguments.no_navigator)
    rclpy.init(args=ros, signal_handler_options=SignalHandlerOptions.NO)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopping.append(received))
    stack = contextlib.ExitStack()
    radio = None
    if arguments.center is not None:
        radio = stack.enter_context(RadioLink(arguments.center, arguments.output / "radio.json"))
    simulator = Simulator(setting, arguments.output, processes, radio)
    executor = SingleThreadedExecutor()
    executor.add_node(simulator.node)
    duration_s = arguments.duration or setting.scenario.duration_s
    try:
        with Instruments(arguments.output, simulator.simulation) as instruments:
            names = {name: str(port) for name, port in links.items()}
            print(
                "ready " + json.dumps({"scenario": setting.scenario.name, "duration_s": duration_s, "ports": names}),
                flush=True,
            )
            _pace(simulator, instruments, executor, duration_s, arguments.rate, stopping, arguments.await_robot)
    finally:
        processes.stop()
        stack.close()
        simulator.close()
        executor.shutdown()
        rclpy.try_shutdown()


def _pace(
    simulator: Simulator,
    instruments: Instruments,
    executor: SingleThreadedExecutor,
    duration_s: float,
    rate: float,
    stopping: list[int],
    await_robot_s: float,
) -> None:
    """Tick at ``rate`` times the wall clock until the duration is over or a signal came."""
    simulation = simulator.simulation
    began, base_s = time.monotonic(), simulation.time_s
    reported, reported_s = began, simulation.time_s
    while simulation.scenario_time_s < duration_s and not stopping:
        simulator.waiting = not simulator.robot_ready and simulation.held_s < await_robot_s
        if simulator.waiting:
            simulation.hold(TICK_S)
        for _ in range(CALLBACKS_PER_TICK):
            wait_s = (simulation.time_s - base_s) / rate - (time.monotonic() - began) if rate > 0 else 0.0
            executor.spin_once(timeout_sec=max(0.0, wait_s))
            if wait_s <= 0:
                break
        if rate > 0 and -wait_s > LARGEST_LAG_S:
            began, base_s = time.monotonic(), simulation.time_s
        simulator.tick(instruments)
        if simulation.time_s - reported_s >= REPORT_EVERY_S:
            now = time.monotonic()
            factor = (simulation.time_s - reported_s) / (now - reported)
            reported, reported_s = now, simulation.time_s
            print(
                f"t={simulation.time_s:.0f} s real_time_factor={factor:.2f} dropped_frames={simulator.dropped_frames} "
                f"people={len(simulation.people_present())} robot=({simulation.base.x:.1f}, {simulation.base.y:.1f})",
                flush=True,
            )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator", description="The built-in simulator of hall, crowd and robot.")
    parser.add_argument(
        "--scenario", default="morning_arrivals", help="name in sim/scenarios, or a .yaml file (default %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for ports, truth, trajectory and findings"
    )
    parser.add_argument("--seed", type=int, help="another seed than the scenario's")
    parser.add_argument("--duration", type=float, metavar="S", help="another duration than the scenario's")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="times real time; 0: as fast as it can (default %(default)s)"
    )
    parser.add_argument("--robot-name", default="", help="namespace of the robot")
    parser.add_argument(
        "--rgb", choices=("on", "off"), default="on", help="colour camera (default %(default)s; needs EGL)"
    )
    parser.add_argument(
        "--await-robot", type=float, default=0.0, metavar="S",
        help="let the scenario begin when the robot is ready, after this time at the latest (default: at once)",
    )  # fmt: skip
    parser.add_argument(
        "--center", type=Path, metavar="FILE.json",
        help="file with the center's url: relay the robot's radio link to it, at the url in DIR/radio.json",
    )  # fmt: skip
    parser.add_argument("--no-navigator", action="store_true", help="Nav2 runs elsewhere: no stand-in")
    return parser


if __name__ == "__main__":
    main()
