"""`./robot transcribe WAV…`: what is said in recordings, by the same path as the microphone's."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.voice.audio import level, read_wav
from inspection_robot.voice.knowledge import Language, load
from inspection_robot.voice.listening import Listener, Utterance
from inspection_robot.voice.recognition import Recogniser, grammar_phrases, installed_models
from inspection_robot.voice.vad import RATE_HZ

BLOCK = RATE_HZ // 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="WAV")
    parser.add_argument(
        "--model-en", type=Path, metavar="FOLDER", help="English vosk model (default: the official one)"
    )
    parser.add_argument(
        "--model-zh", type=Path, metavar="FOLDER", help="Mandarin vosk model (default: the official one)"
    )
    parser.add_argument("--open", action="store_true", help="without the pass bound to the known questions")
    parser.add_argument("--json", action="store_true", help="one JSON object a recording")


def run(arguments: argparse.Namespace) -> int:
    """Transcribe each recording; several utterances in one are joined."""
    given: dict[Language, Path] = {}
    if arguments.model_en:
        given["en"] = arguments.model_en
    if arguments.model_zh:
        given["zh"] = arguments.model_zh
    models = installed_models(given)
    if not models:
        raise InputError("speech", "no speech model: type instead (./robot ask), or run ./robot models fetch")
    recogniser = Recogniser(models, None if arguments.open else grammar_phrases(load()))

    def transcribe(name: str) -> None:
        result = transcript(recogniser, Path(name))
        if arguments.json:
            print_json(result)
        else:
            print(f"{name}: [{result['language']}] {result['text'] or result['fault'] or '—'}")

    try:
        return for_each("transcribe", arguments.files, transcribe)
    finally:
        recogniser.close()


def transcript(recogniser: Recogniser, path: Path) -> dict[str, Any]:
    """Return one recording's result in the contract's form."""
    samples = read_wav(path)
    heard: list[Utterance] = []
    listener = Listener(recogniser, heard.append)
    for start in range(0, len(samples), BLOCK):
        listener.feed(samples[start : start + BLOCK])
    listener.finish()
    understood = [u for u in heard if u.text]
    languages = [u.language for u in understood]
    language = max(set(languages), key=languages.count) if languages else "und"
    fault = level(samples).fault or ("" if heard else "no speech") or ("" if understood else "not understood")
    seconds = sum(u.duration_s for u in understood)
    return {
        "file": str(path), "language": language,
        "text": ("" if language == "zh" else " ").join(u.text for u in understood),
        "confidence": round(sum(u.confidence * u.duration_s for u in understood) / seconds, 4) if seconds else 0.0,
        "words": [
            {
                "word": w.text, "start_s": round(u.start_s + w.start_s, 3), "end_s": round(u.start_s + w.end_s, 3),
                "confidence": round(w.confidence, 4),
            }
            for u in understood for w in u.words
        ],
        "utterances": len(heard), "fault": fault,
    }  # fmt: skip
