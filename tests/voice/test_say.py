"""`./robot say` as users use it: a process, its output, its exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inspection_robot.voice.audio import read_wav

pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def say(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if path is not None:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    command = [sys.executable, "-m", "inspection_robot.cli", "say", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


@pytest.fixture
def aplay(tmp_path: Path) -> Path:
    """A folder with an aplay that notes its device and keeps what it plays."""
    program = tmp_path / "aplay"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$@" >> {tmp_path}/calls\ncp "$last" {tmp_path}/played.wav\n'
    )
    program.chmod(0o755)
    return tmp_path


def test_both_languages_are_written_to_a_file_and_described(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    done = say("Please wait. 请稍等。", "--output", str(path), "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, done.stderr, result["player"]) == (0, "", "file")
    assert [part["voice"] for part in result["parts"]] == ["en-us", "cmn-latn-pinyin"]
    assert len(read_wav(path)) / 16_000 == pytest.approx(result["duration_s"], abs=0.1)


def test_sentences_are_shown_and_played_one_after_the_other(aplay: Path) -> None:
    done = say("One. Two.", "--device", "plughw:1,0", path=aplay)
    assert (done.returncode, done.stdout, done.stderr) == (0, "One.\nTwo.\n", "")
    calls = (aplay / "calls").read_text().splitlines()
    assert len(calls) == 2 and all("-D plughw:1,0" in call for call in calls)
    assert np.abs(read_wav(aplay / "played.wav")).max() > 2000


def test_what_cannot_be_heard_is_shown_and_said_in_one_line(aplay: Path) -> None:
    (aplay / "aplay").write_text("#!/bin/sh\necho 'audio open error: No such device' >&2\nexit 1\n")
    done = say("One. Two. Three.", "--device", "gone", path=aplay)
    assert (done.returncode, done.stdout) == (1, "One.\nTwo.\nThree.\n")
    (line,) = done.stderr.splitlines()
    assert "No such device" in line and "--output" in line


@pytest.mark.parametrize("text", ["…", "\x07\x1b \n"])
def test_nothing_to_say_is_one_line_and_status_2(text: str) -> None:
    done = say(text)
    assert (done.returncode, done.stdout) == (2, "") and len(done.stderr.splitlines()) == 1


def test_control_characters_are_neither_shown_nor_said(aplay: Path) -> None:
    done = say("Gate\x1b[31m seven\x07 is\nopen.", "--device", "x", path=aplay)
    assert done.returncode == 0 and done.stdout.isprintable() is False  # the line's end
    assert done.stdout.rstrip("\n").isprintable() and "open." in done.stdout


def test_a_file_that_cannot_be_written_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = say("Hello.", "--output", str(tmp_path / "no" / "a.wav"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "cannot be written" in done.stderr
