"""Patrols routes and docks through Nav2, by action goals, orders of the center and its own schedule."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from inspection_interfaces.action import Dock as DockAction
from inspection_interfaces.action import Patrol as PatrolAction
from inspection_interfaces.msg import Detection, DriveState, Order, OrderProgress, PatrolState, RadiationReading
from nav2_msgs.msg import SpeedLimit
from nav_msgs.msg import Path as RoutePath
from rclpy.action import ActionClient, GoalResponse
from rclpy.time import Time
from sensor_msgs.msg import BatteryState

from inspection_contract.resources import share, state
from inspection_robot.patrol.mission import Mission, Rules, Situation
from inspection_robot.patrol.orders import KINDS, Errand, OrderBook, OrderRefused, errand
from inspection_robot.patrol.routes import Dock, Route, Routes, Waypoint, load
from inspection_robot.patrol.suspicion import Suspicion, SuspicionRules
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError, from_pose, pose_stamped
from inspection_robot.ros.navigation import NavigationClient
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.parameters import parameter
from inspection_robot.ros.transforms import planar

TICK_PERIOD_S = 0.2
STATE_PERIOD_S = 1.0
SCHEDULE_PERIOD_S = 5.0


@dataclass(frozen=True)
class PatrolParameters:
    """Parameters of the patrol node."""

    routes_file: str = parameter("", "Routes, docks and schedule; empty: config/routes.yaml", read_only=True)
    progress_file: str = parameter("", "Where a patrol stands; empty: var/patrol/progress.json", read_only=True)
    follow_schedule: bool = parameter(False, "Start patrols at the times of the schedule")
    resume: bool = parameter(True, "Go on with a patrol that a restart of this node cut off")
    attempts: int = parameter(3, "To reach a waypoint before it is skipped", minimum=1, maximum=20)
    pause_s: float = parameter(5.0, "Between attempts [s]", minimum=0.0, maximum=120.0)
    resume_after_s: float = parameter(3.0, "After an interruption before driving on [s]", minimum=0.0, maximum=120.0)
    longest_travel_s: float = parameter(
        300.0, "Longest journey between two waypoints [s]", minimum=5.0, maximum=3600.0, read_only=True
    )
    low_battery: float = parameter(0.2, "Drive to the dock below this charge", minimum=0.0, maximum=0.9)
    enough_battery: float = parameter(0.8, "Go on patrolling from this charge on", minimum=0.05, maximum=1.0)
    suspicion_p_value: float = parameter(
        1e-3, "Rises of the count rate less likely than this by chance slow the robot down", minimum=0.0, maximum=0.1
    )
    suspicion_speed: float = parameter(0.2, "Speed while radiation is suspected [m/s]", minimum=0.05, maximum=0.8)
    count_s: float = parameter(15.0, "Stay where counts are raised, each time [s]", minimum=0.0, maximum=300.0)
    investigation_pause_s: float = parameter(
        60.0,
        "Patrol on after having looked into an alarm before looking into one again [s]",
        minimum=0.0,
        maximum=3600.0,
    )

    def __post_init__(self) -> None:
        if self.low_battery >= self.enough_battery:
            raise ValueError("low_battery must be below enough_battery")

    def rules(self) -> Rules:
        """The mission's rules."""
        return Rules(
            self.attempts, self.pause_s, self.low_battery, self.enough_battery, self.count_s, self.investigation_pause_s
        )


class PatrolNode(InspectionNode[PatrolParameters]):
    """One mission at a time: a patrol, or a drive to the dock, which is a patrol of one waypoint."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("patrol", PatrolParameters, **kwargs)
        self._mission: Mission | None = None
        self._mission_route = ""
        self._battery = math.nan
        self._interruption = ""
        self._free_since_s = -math.inf
        self._started: dict[int, datetime] = {}
        self._routes = Routes()
        self._stored = ""
        self._navigation: NavigationClient | None = None
        self._suspicion = Suspicion(SuspicionRules())
        self._slow = False
        self._order: Any = None
        self._order_waits: tuple[Any, Errand] | None = None

    def configure(self) -> None:
        """Read the routes, listen."""
        given = self.parameters
        self._routes = load(Path(given.routes_file) if given.routes_file else share() / "config" / "routes.yaml")
        self._progress = Path(given.progress_file) if given.progress_file else state() / "patrol" / "progress.json"
        self._progress.parent.mkdir(parents=True, exist_ok=True)
        self._order_book = OrderBook(self._progress.with_name("orders.json"))
        self._frames = Frames(self)
        self._suspicion = Suspicion(SuspicionRules(self.parameters.suspicion_p_value))
        self._speed_limit = self.create_publisher(SpeedLimit, "speed_limit", qos.ALARM)
        self.create_subscription(RadiationReading, "radiation/reading", self._on_radiation, qos.EVENT)
        self.create_subscription(Detection, "detections", self._on_detection, qos.ALARM)
        self._navigation = NavigationClient(self, given.longest_travel_s)
        self._own_goals = ActionClient(self, PatrolAction, "patrol")
        self._states = self.create_publisher(PatrolState, "patrol/state", qos.STATE)
        self._path = self.create_publisher(RoutePath, "patrol/route", qos.STATE)
        self._order_progress = self.create_publisher(OrderProgress, "order_progress", qos.ALARM)
        self.create_subscription(Order, "orders", self._on_order, qos.ALARM)
        self.create_subscription(BatteryState, "battery_state", self._on_battery, qos.SENSOR)
        self.create_subscription(DriveState, "drive/state", self._on_drive, qos.STATE)
        self.create_action_server(PatrolAction, "patrol", self._patrol, goal_callback=self._judge_patrol)
        self.create_action_server(DockAction, "dock", self._dock, goal_callback=self._judge_dock)

    def activate(self) -> None:
        """Tick, and go on where a restart cut a patrol off."""
        self.create_timer(TICK_PERIOD_S, self._tick)
        self.create_timer(STATE_PERIOD_S, self._publish)
        self.create_timer(SCHEDULE_PERIOD_S, self._follow_schedule)
        if self.parameters.resume:
            self._resume()

    def deactivate(self) -> None:
        """Stop driving. Who stops the robot on purpose does not want it to go on by itself: nothing to resume."""
        if self._mission is not None:
            self._mission.cancel()
            self._store(self._mission)
            self._mission = self._order = self._order_waits = None

    def cleanup(self) -> None:
        """Close the clients."""
        if self._navigation is not None:
            self._navigation.destroy()
            self._own_goals.destroy()
            self._navigation = None

    def diagnose(self) -> Iterable[Part]:
        """What the mission does."""
        mission = self._mission
        level = Level.WARNING if mission is not None and mission.progress.skipped else Level.OK
        told = "idle" if mission is None else f"{mission.state}: {mission.reason}".rstrip(": ")
        yield Part("mission", level, told, {"route": self._mission_route, "battery": self._battery})

    # What comes in.

    def _on_battery(self, message: Any) -> None:
        self._battery = float(message.percentage)

    def _on_drive(self, message: Any) -> None:
        if message.emergency_stop:
            reason = "emergency stop"
        elif message.source in ("teleop", "intercept"):
            reason = message.source
        else:
            reason = ""
        if self._interruption and not reason:
            self._free_since_s = self._now_s()
        self._interruption = reason

    def _on_radiation(self, reading: Any) -> None:
        overload = reading.status == RadiationReading.STATUS_OVERLOAD
        alarm = reading.status == RadiationReading.STATUS_ALARM
        self._suspicion.read(self._now_s(), float(reading.p_value), alarm, overload)

    def _on_detection(self, detection: Any) -> None:
        if detection.kind == "radiation.source":
            for attribute in detection.attributes:
                if attribute.key == "next_viewpoint":
                    self._suspicion.suggest(self._now_s(), attribute.value)

    def _limit_speed(self, slow: bool) -> None:
        """Ask Nav2 to drive slowly, or as fast as it likes (0) again."""
        if slow != self._slow:
            self._slow = slow
            message = SpeedLimit(percentage=False, speed_limit=self.parameters.suspicion_speed if slow else 0.0)
            message.header.stamp = self.get_clock().now().to_msg()
            self._speed_limit.publish(message)

    def _here(self) -> tuple[float, float] | None:
        try:
            at = self._frames.lookup("map", "base_link").translation
        except TransformError:
            return None
        return float(at[0]), float(at[1])

    def _on_order(self, order: Any) -> None:
        """Carry out an order that moves the robot; it takes the place of whatever is under way."""
        if order.kind not in KINDS or not self._order_book.is_new(order.order_id, order.revision):
            return
        expires_ns = Time.from_msg(order.expires).nanoseconds
        if 0 < expires_ns < self.get_clock().now().nanoseconds:
            self._tell_order(order, "expired", "it came too late")
            return
        try:
            place = None
            if order.place.header.frame_id:
                pose = from_pose(order.place.pose)
                x, y = float(pose.translation[0]), float(pose.translation[1])
                place = Waypoint(name=order.place_name or "place", x=x, y=y, yaw_deg=math.degrees(pose.yaw))
            todo = errand(order.kind, order.place_name, place, self._routes, self._find_dock("", ""))
        except ValueError as error:  # OrderRefused, and poses that are none
            reason = str(error) if isinstance(error, OrderRefused) else "its place is no pose"
            self._tell_order(order, "failed", reason)
            return
        self._tell_order(order, "accepted", "")
        self._order_waits = (order, todo)
        if self._mission is not None:
            self._mission.cancel_requested = True

    def _begin_order(self) -> None:
        """Start the order that waits, now that nothing else is under way."""
        if self._order_waits is not None and self._mission is None:
            self._order, todo = self._order_waits
            self._order_waits = None
            self._begin(todo.name, todo.route, todo.rounds, 0, charge=todo.charge)
            self._tell_order(self._order, "running", "")

    def _tell_order(self, order: Any, how: str, reason: str) -> None:
        if how in ("done", "failed", "cancelled", "expired"):
            self._order_book.ended(order.order_id, order.revision)
        message = OrderProgress(order_id=order.order_id, revision=order.revision, state=how, reason=reason)
        message.header.stamp = self.get_clock().now().to_msg()
        self._order_progress.publish(message)

    def _judge_patrol(self, goal: Any) -> Any:
        route = self._routes.routes.get(goal.route)
        if route is None:
            return self._refuse(f"no route {goal.route!r}; there are {', '.join(self._routes.routes) or 'none'}")
        if goal.start_waypoint >= len(route.waypoints):
            return self._refuse(f"route {goal.route} has {len(route.waypoints)} waypoints")
        busy = self._mission is not None or self._order_waits is not None
        return self._refuse("a mission is under way") if busy else GoalResponse.ACCEPT

    def _judge_dock(self, goal: Any) -> Any:
        if self._find_dock(goal.dock, goal.purpose) is None:
            return self._refuse(f"no dock {goal.dock!r} for {goal.purpose or 'anything'}")
        return GoalResponse.ACCEPT

    def _refuse(self, reason: str) -> Any:
        self.get_logger().warning(f"goal refused: {reason}")
        return GoalResponse.REJECT

    def _find_dock(self, name: str, purpose: str) -> Dock | None:
        if name:
            dock = self._routes.docks.get(name)
            return dock if dock is not None and (not purpose or purpose in dock.purposes) else None
        here = self._here() or (0.0, 0.0)  # any dock is better than none
        nearest = self._routes.nearest_dock(*here, purpose)
        return None if nearest is None else self._routes.docks[nearest]

    # Goals, each in a thread of its own: they only wait for the mission, which the executor ticks.

    def _patrol(self, goal: Any) -> Any:
        request = goal.request
        mission = self._begin(
            request.route, self._routes.routes[request.route], request.rounds, request.start_waypoint, charge=True
        )
        while mission.finished is None and not goal.wait(TICK_PERIOD_S):
            goal.publish_feedback(PatrolAction.Feedback(patrol=self._state_message()))
        how = mission.finished or "cancelled"
        if mission.finished is None:
            mission.cancel_requested = True
        result = PatrolAction.Result(rounds_done=mission.progress.rounds_done, state=how, message=mission.reason)
        _end(goal, how)
        return result

    def _dock(self, goal: Any) -> Any:
        dock = self._find_dock(goal.request.dock, goal.request.purpose)
        assert dock is not None  # the goal was judged
        running = self._mission
        if running is not None:
            running.cancel_requested = True
            while running.finished is None and not goal.wait(TICK_PERIOD_S):
                pass
        stop = Waypoint(name="dock", x=dock.x, y=dock.y, yaw_deg=dock.yaw_deg)
        mission = self._begin("dock", Route(waypoints=(stop,)), 1, 0, charge=False)
        while mission.finished is None and not goal.wait(TICK_PERIOD_S):
            remaining = self._navigation.distance_remaining_m if self._navigation is not None else 0.0
            goal.publish_feedback(DockAction.Feedback(state=mission.state, distance_remaining=remaining))
        how = mission.finished or "cancelled"
        if mission.finished is None:
            mission.cancel_requested = True
        _end(goal, how)
        return DockAction.Result(docked=how == "done", message=mission.reason)

    def _begin(self, name: str, route: Route, rounds: int, start: int, *, charge: bool) -> Mission:
        assert self._navigation is not None
        dock = self._find_dock("", "charge") if charge else None
        mission = Mission(route, rounds, start, dock, self._navigation, self.parameters.rules())
        self._mission_route = name
        self._mission = mission
        return mission

    # The executor's part.

    def _tick(self) -> None:
        self._begin_order()
        self._limit_speed(self._suspicion.slow(self._now_s()))
        mission = self._mission
        if mission is None:
            return
        if mission.cancel_requested:
            mission.cancel()
        now_s = self._now_s()
        interruption = self._interruption
        if not interruption and now_s - self._free_since_s < self.parameters.resume_after_s:
            interruption = "waiting after an interruption"
        before = (mission.state, mission.reason, mission.progress.waypoint, len(mission.progress.skipped))
        known = set(mission.progress.skipped)
        viewpoint = self._suspicion.viewpoint(now_s, self._here()) if self._suspicion.alarm else None
        mission.tick(Situation(now_s, interruption, self._battery, self._suspicion.alarm, viewpoint))
        for index in mission.progress.skipped.keys() - known:
            name, reason = mission.route.waypoints[index].name, mission.progress.skipped[index]
            self.fault(f"skipped_{name}", f"waypoint {name} is skipped: {reason}", Severity.WARNING, part="mission")
        self._store(mission)
        if mission.finished is not None:
            self._mission = None
            if self._order is not None:
                self._tell_order(self._order, mission.finished, mission.reason)
                self._order = None
            for waypoint in mission.route.waypoints:
                self.clear(f"skipped_{waypoint.name}")
            self._publish(mission)
        elif before != (mission.state, mission.reason, mission.progress.waypoint, len(mission.progress.skipped)):
            self._publish()

    def _follow_schedule(self) -> None:
        if not self.parameters.follow_schedule or self._mission is not None:
            return
        now = datetime.fromtimestamp(self._now_s(), UTC).astimezone()
        index = self._routes.due(now, self._started)
        if index is not None:
            patrol = self._routes.schedule[index]
            self._started[index] = patrol.slot(now)
            self.get_logger().info(f"schedule: patrol of {patrol.route}")
            self._send_own(PatrolAction.Goal(route=patrol.route, rounds=patrol.rounds))

    def _send_own(self, goal: Any) -> None:
        """Start a patrol of our own through the action, so that everybody can see and cancel it."""

        def answered(done: Any) -> None:
            if not done.result().accepted:
                self.fault("own_patrol_refused", f"patrol of {goal.route} was refused", Severity.WARNING)

        self.when_done(self._own_goals.send_goal_async(goal), answered)

    # Progress on disk.

    def _store(self, mission: Mission) -> None:
        if self._mission_route not in self._routes.routes or self._order is not None:
            return  # a drive to the dock is not resumed, and an order comes again from the bridge
        content = ""
        if mission.finished is None:
            progress = mission.progress
            content = json.dumps(
                {
                    "route": self._mission_route,
                    "rounds": max(0, mission.rounds - progress.rounds_done),
                    "start_waypoint": progress.waypoint,
                }
            )
        if content != self._stored:
            self._stored = content
            temporary = self._progress.with_suffix(".new")
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(self._progress)

    def _resume(self) -> None:
        try:
            content = self._progress.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if not content:
            return
        try:
            goal = PatrolAction.Goal(**json.loads(content))
        except (ValueError, TypeError, AssertionError, AttributeError) as error:
            self.fault("progress_unreadable", f"{self._progress}: {error}", Severity.WARNING)
            return
        self.get_logger().info(f"resuming the patrol of {goal.route} at waypoint {goal.start_waypoint}")

        def once() -> None:
            if self._own_goals.server_is_ready():
                timer.cancel()
                self._send_own(goal)

        timer = self.create_timer(TICK_PERIOD_S, once)

    # What goes out.

    def _publish(self, ended: Mission | None = None) -> None:
        self._states.publish(self._state_message(ended))
        if self._mission is not None and ended is None:
            stamp = self.get_clock().now().to_msg()
            path = RoutePath()
            path.header.frame_id, path.header.stamp = "map", stamp
            path.poses = [_stamped(stamp, waypoint) for waypoint in self._mission.route.waypoints]
            self._path.publish(path)

    def _state_message(self, ended: Mission | None = None) -> Any:
        message = PatrolState(state="idle", battery=self._battery)
        message.header.stamp = self.get_clock().now().to_msg()
        mission = ended or self._mission
        if mission is not None:
            message.route, message.waypoint = self._mission_route, mission.progress.waypoint
            message.state, message.reason, message.rounds = mission.state, mission.reason, mission.progress.rounds_done
        return message

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) / 1e9


def _stamped(stamp: Any, waypoint: Waypoint) -> PoseStamped:
    return pose_stamped("map", stamp, planar(waypoint.x, waypoint.y, waypoint.yaw))


def _end(goal: Any, how: str) -> None:
    """Set the goal's final state; a mission that the executor cancelled for another reason is aborted."""
    if how == "done":
        goal.succeed()
    elif goal.status == GoalStatus.STATUS_CANCELING or goal.is_cancel_requested:
        goal.canceled()
    else:
        goal.abort()


def main() -> None:
    """Run the node."""
    run(PatrolNode)


if __name__ == "__main__":
    main()
