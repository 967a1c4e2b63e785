"""What a launch file comes to: processes to start. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class NodeProcess:
    """A ROS node in a process of its own.

    Attributes:
        package: ROS package of the executable.
        executable: its name.
        name: node name; also the name of the process in messages and logs.
        namespace: absolute namespace, ``/`` for none.
        parameters: files and single values in the order given; later ones win.
        remaps: from, to.
        arguments: the program's own arguments.
        ros_arguments: further words after ``--ros-args``.
        environment: above the supervisor's own.
        respawn: start again when it ends.
        respawn_delay_s: pause before.
        where: file and line, for messages.
    """

    package: str
    executable: str
    name: str
    namespace: str = "/"
    parameters: tuple[Path | tuple[str, str], ...] = ()
    remaps: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    ros_arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    respawn: bool = False
    respawn_delay_s: float = 0.0
    where: str = ""

    @property
    def full_name(self) -> str:
        """Fully qualified node name."""
        return f"{self.namespace.rstrip('/')}/{self.name}"

    def command(self, program: Path) -> list[str]:
        """The command line, in the words that launch_ros uses too."""
        words = [str(program), *self.arguments, "--ros-args", "-r", f"__node:={self.name}"]
        if self.namespace != "/":
            words += ["-r", f"__ns:={self.namespace}"]
        for parameter in self.parameters:
            if isinstance(parameter, Path):
                words += ["--params-file", str(parameter)]
            else:
                words += ["-p", ":=".join(parameter)]
        for source, target in self.remaps:
            words += ["-r", f"{source}:={target}"]
        return [*words, *self.ros_arguments]


@dataclass(frozen=True)
class PlainProcess:
    """Any other program."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    respawn: bool = False
    respawn_delay_s: float = 0.0
    where: str = ""


@dataclass(frozen=True)
class Argument:
    """An argument that a launch file declares."""

    name: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Plan:
    """Processes in the order of the file, and the arguments that can be given."""

    processes: tuple[NodeProcess | PlainProcess, ...]
    arguments: tuple[Argument, ...]
