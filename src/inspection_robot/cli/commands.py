"""The table of `./robot` commands: the only place that names them.

A command is a module with ``configure(parser)`` and ``run(arguments) -> int``; it is imported only when it is called.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: the module that implements it and the line that `./robot --help` shows."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "ask": Command("inspection_robot.voice.ask_command", "answer a typed question, or refuse"),
    "audit": Command("inspection_center.audit.verify_command", "check that nobody rewrote the center's audit log"),
    "bench": Command("inspection_robot.cli.bench", "measure, and print one JSON object"),
    "calibrate": Command("inspection_robot.thermal.calibrate_command", "judge a camera and its reference"),
    "decode": Command("inspection_robot.documents.decode_command", "read codes and machine readable zones in pictures"),
    "demo": Command("inspection_robot.demo.demo_command", "robot and center on a recording or scenario, against truth"),
    "doctor": Command("inspection_robot.cli.doctor_command", "what is installed, plugged in, reachable"),
    "enrol": Command("inspection_robot.bridge.enrol_command", "make this robot known to a center with a one-time code"),
    "identify": Command("inspection_robot.radiation.identify_command", "name the nuclides in gamma spectra"),
    "incidents": Command("inspection_robot.interception.incidents_command", "print the incidents' tables"),
    "knowledge": Command("inspection_robot.voice.knowledge_command", "the answers: check, list, calibrate"),
    "match": Command("inspection_robot.interception.match_command", "which entries of a list a name may be"),
    "models": Command("inspection_robot.cli.models_command", "third-party models: list, fetch, check"),
    "odor": Command("inspection_robot.odor.odor_command", "record smells of your own, train on them, report"),
    "radwatch": Command("inspection_robot.radiation.watch_command", "find radiation alarms in recorded counts"),
    "record": Command("inspection_robot.recording.record_command", "record every topic to one MCAP file"),
    "replay": Command("inspection_robot.recording.replay_command", "play a recording back into the nodes"),
    "say": Command("inspection_robot.voice.say_command", "say a text aloud, or into a WAV file"),
    "score": Command("inspection_sim.score_command", "compare a simulated run with its truth"),
    "screen": Command("inspection_robot.thermal.screen_command", "screen people in thermal recordings"),
    "transcribe": Command("inspection_robot.voice.transcribe_command", "what is said in recordings"),
    "up": Command("inspection_robot.launcher.up_command", "run the stack as on the robot"),
}
