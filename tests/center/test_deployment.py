"""The shipped unit and compose file are valid, and start the center with options it has."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from inspection_center import command_line
from inspection_contract.resources import share

FOLDER = share() / "config" / "deployment"


def unit_command() -> list[str]:
    lines = (FOLDER / "inspection-center.service").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (line,) = [line for line in lines if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))


def compose() -> dict[str, object]:
    content: dict[str, object] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return content


def commands() -> list[list[str]]:
    services = compose()["services"]
    assert isinstance(services, dict)
    centers = [shlex.split(one["command"]) for name, one in services.items() if name.startswith("center")]
    return [unit_command(), *centers]


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words[4:8]))
def test_the_command_line_is_one_the_center_takes(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Path, object]] = []
    monkeypatch.setattr(command_line, "read_settings", lambda path: path)

    def serve(state: Path, settings: object, *_: object) -> int:
        started.append((state, settings))
        return 0

    monkeypatch.setattr(command_line, "serve", serve)
    assert words[1:3] == ["-m", "inspection_center"]
    assert command_line.main(words[3:]) == 0
    assert started == [(Path("/var/lib/inspection-center"), Path("/etc/inspection/center.yaml"))]


def test_every_volume_a_service_uses_is_there() -> None:
    content = compose()
    services, volumes = content["services"], content["volumes"]
    assert isinstance(services, dict)
    assert isinstance(volumes, dict)
    used = {volume.split(":")[0] for one in services.values() for volume in one.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == set(volumes)


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    # The programs and the account it names are made by the installation, not here.
    content = (FOLDER / "inspection-center.service").read_text(encoding="utf-8")
    unit = tmp_path / "inspection-center.service"
    unit.write_text(
        content.replace("/opt/inspection/.venv/bin/python", "/bin/true").replace("User=inspection", "User=root")
    )
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    faults = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, faults) == (0, [])


def test_the_compose_file_fits_the_schema() -> None:
    values = dict.fromkeys(("INSPECTION_IMAGE", "S3_KEY", "S3_SECRET", "DATABASE_PASSWORD"), "x")
    done = subprocess.run(
        [tool("docker-compose"), "-f", str(FOLDER / "compose.yaml"), "config", "--quiet"],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | values,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
