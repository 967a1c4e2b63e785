"""The command line: what a user meets before any capability."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from inspection_contract.errors import InputError
from inspection_robot.cli.__main__ import main
from inspection_robot.cli.commands import COMMANDS
from inspection_robot.cli.inputs import for_each
from tests.data import REPOSITORY


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_help(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([name, "--help"])
    assert exit_.value.code == 0
    assert COMMANDS[name].help.split()[0] in capsys.readouterr().out


def test_every_command_module_keeps_the_contract():
    for command in COMMANDS.values():
        module = importlib.import_module(command.module)
        assert callable(module.configure)
        assert callable(module.run)


def test_an_unknown_command_is_refused_with_the_list(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["sing"])
    assert exit_.value.code == 2
    assert "invalid choice: 'sing'" in capsys.readouterr().err


def test_one_bad_input_costs_no_other_and_is_named(capsys):
    seen = []

    def process(name):
        if name == "bad":
            raise InputError(name, "is\nno picture")
        seen.append(name)

    assert for_each("screen", ["a", "bad", "b"], process) == 2
    assert seen == ["a", "b"]
    assert capsys.readouterr().err == "robot screen: bad: is no picture\n"


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m inspection_robot.cli models list | head -n 1"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, env=environment
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_bench_lists_every_benchmark_with_a_line(capsys):
    assert main(["bench"]) == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    files = {path.stem.replace("_", "-") for path in (REPOSITORY / "benchmarks").glob("[a-z]*.py")}
    assert set(listed) == files
    assert all(listed.values())


def test_bench_names_an_unknown_benchmark(capsys):
    assert main(["bench", "sing"]) == 2
    assert "bench sing: no such benchmark" in capsys.readouterr().err


def test_doctor_names_a_remedy_for_whatever_is_not_there(capsys):
    main(["doctor", "--json"])
    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"ok"} <= {finding["state"] for finding in findings} <= {"ok", "absent", "fault"}
    assert all(finding["remedy"] for finding in findings if finding["state"] != "ok")
