"""`./robot say TEXT`: say a text in Chinese, English or both, or write it to a WAV file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import print_json
from inspection_robot.voice.knowledge import LANGUAGES
from inspection_robot.voice.player import SystemPlayer
from inspection_robot.voice.spoken_text import parts, sentences
from inspection_robot.voice.synthesis import Sound, Synthesiser, SynthesisError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("--language", choices=LANGUAGES, help="where the script does not tell (numbers)")
    parser.add_argument("--output", type=Path, metavar="FILE.wav", help="write the speech instead of playing it")
    parser.add_argument("--device", default="", help="ALSA device (default: the system's)")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")


def run(arguments: argparse.Namespace) -> int:
    """Say it; 1 when synthesis or playing failed."""
    todo = sentences(arguments.text)
    if not todo:
        raise InputError("text", "holds nothing that can be spoken")
    player = SystemPlayer(arguments.device)
    synthesiser = Synthesiser()
    sounds: list[Sound] = []
    began = time.monotonic()
    first_s = 0.0
    try:
        for future in [synthesiser.submit(sentence, arguments.language) for sentence in todo]:
            sounds.append(future.result())
            first_s = first_s or time.monotonic() - began
    except SynthesisError as error:
        raise InputError("speech synthesis", f"{error}; is espeak-ng installed?") from None
    finally:
        synthesiser.close()
    fault = ""
    if arguments.output is not None:
        whole = Sound(np.concatenate([sound.samples for sound in sounds]), sounds[0].rate_hz)
        try:
            whole.write(arguments.output)
        except OSError as error:
            raise InputError(arguments.output, f"cannot be written: {error.strerror}") from None
    else:
        fault = _play(player, todo, sounds, quiet=arguments.json)
        if fault:
            print(f"robot say: {fault}; --output FILE.wav writes the speech", file=sys.stderr)
    if arguments.json:
        print_json(
            {
                "sentences": todo, "player": "file" if arguments.output else player.name,
                "parts": [{"voice": p.voice, "text": p.text} for s in todo for p in parts(s, arguments.language)],
                "duration_s": round(sum(s.duration_s for s in sounds), 3), "first_sound_s": round(first_s, 3),
            }
        )  # fmt: skip
    return 1 if fault else 0


def _play(player: SystemPlayer, sentences: Sequence[str], sounds: Sequence[Sound], quiet: bool) -> str:
    """Show and play the sentences; returns why they were not heard, empty when they were."""
    fault = player.missing
    for sentence, sound in zip(sentences, sounds, strict=True):
        if not quiet:
            print(sentence, flush=True)
        if not fault:
            playback = player.play(sound)
            fault = "" if playback.wait() else f"{player.name}: {playback.fault}"
    return fault
