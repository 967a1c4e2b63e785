"""Speaking and listening: latencies, barge-in, urgent announcements, random cancels, voice detection on real sound."""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.model_files import find
from inspection_robot.voice.audio import read_wav, resample
from inspection_robot.voice.denoising import MODEL, Denoiser
from inspection_robot.voice.knowledge import Language, load
from inspection_robot.voice.listening import Listener, Utterance
from inspection_robot.voice.player import AlsaPlayer, Playback
from inspection_robot.voice.recognition import Recogniser, grammar_phrases
from inspection_robot.voice.retrieval import Retriever, load_retriever
from inspection_robot.voice.speaker import Caption, Priority, Speaker, Speech
from inspection_robot.voice.synthesis import Sound, Synthesiser
from inspection_robot.voice.vad import CHUNK, RATE_HZ, EndPointer, EndPointing, SpeechAudio, SpeechOnset, SpeechStart

QUESTIONS: tuple[tuple[str, Language, str], ...] = (
    ("can i bring an apple", "en", "fresh-fruit"), ("i lost my passport", "en", "lost-passport"),
    ("how many cigarettes can i bring", "en", "cigarettes"), ("可以带水果入境吗", "zh", "fresh-fruit"),
    ("我的护照丢了", "zh", "lost-passport"), ("香烟可以带多少", "zh", "cigarettes"),
)  # fmt: skip
LONG = "Fruit may not be carried in. Please hand it to customs. Or put it in the bin before you go through."
BLOCK = CHUNK


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="?", type=Path, help="folder with en/, zh/ and noise/ (real recordings)")
    parser.add_argument("--jobs", type=int, default=1000, help="synthesis jobs with random cancels")
    parser.add_argument("--rounds", type=int, default=20, help="of barge-in and of urgent announcements")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    figures = cancels(arguments.jobs) | interruptions(arguments.rounds) | player_kills(arguments.rounds) | turns()
    if arguments.data is not None:
        figures |= detection(arguments.data) | denoising(arguments.data)
    return figures


class StampedPlayer:
    """Notes when each sound begins and ends; plays in real time, silently."""

    name = "stamped"

    def __init__(self) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []

    def play(self, sound: Sound) -> Playback:
        """Note the beginning."""
        self.began.append(time.monotonic())
        return _Stamped(self, sound.duration_s)


class _Stamped:
    fault = ""

    def __init__(self, player: StampedPlayer, duration_s: float) -> None:
        self._player, self._duration_s, self._stopped = player, duration_s, threading.Event()

    def wait(self) -> bool:
        whole = not self._stopped.wait(self._duration_s)
        self._player.ended.append(time.monotonic())
        return whole

    def stop(self) -> None:
        self._stopped.set()


def cancels(jobs: int) -> dict[str, Any]:
    """Submit many sentences, cancel a third of them at random moments; count what hangs, is lost or is another's."""
    texts = [" ".join(["passenger"] * 2**n) + "." for n in range(4)] + ["您好" * 3**n + "。" for n in range(3)]
    synthesiser = Synthesiser()
    length_s = {text: synthesiser.submit(text).result(60).duration_s for text in texts}
    synthesiser.close()
    chooser, synthesiser = random.Random(1), Synthesiser(cached=0)
    synthesiser.submit(texts[0]).result(60)
    hung = lost = mixed_up = cancelled = 0
    began = time.monotonic()
    pending = []
    for _ in range(jobs):
        text = chooser.choice(texts)
        pending.append((text, synthesiser.submit(text)))
        if chooser.random() < 1 / 3:
            chooser.choice(pending)[1].cancel()
    for text, job in pending:
        try:
            found = job.result(60).duration_s
            mixed_up += abs(found - length_s[text]) > 0.3
        except CancelledError:
            cancelled += 1
        except TimeoutError:
            hung += 1
        except Exception:  # noqa: BLE001 - whatever it was, the sentence is lost: that is what is counted
            lost += 1
    seconds = time.monotonic() - began
    restarts, repeats = synthesiser.restarts, synthesiser.repeats
    synthesiser.close()
    return {
        "synth_jobs": jobs, "synth_cancelled": cancelled, "synth_hung": hung, "synth_lost": lost,
        "synth_mixed_up": mixed_up, "synth_worker_restarts": restarts, "synth_repeats": repeats,
        "synth_ms_per_job": round(1e3 * seconds / max(1, jobs - cancelled), 2),
    }  # fmt: skip


def interruptions(rounds: int) -> dict[str, Any]:
    """Barge-in: request to silence. Urgent announcement: request to its first sound, while an answer is being said."""
    player = StampedPlayer()
    speaker = Speaker(Synthesiser(), player)
    silent_ms, urgent_ms = [], []

    def barge_in() -> None:
        speaker.barge_in()

    _wait(speaker.say(Speech("Ready.", Priority.ANSWER)))
    for number in range(rounds):
        count = len(player.began)
        answer = speaker.say(Speech(LONG, Priority.ANSWER))
        _until(lambda count=count: len(player.began) > count)
        time.sleep(0.05 + 0.02 * (number % 5))
        asked, ended = time.monotonic(), len(player.ended)
        speaker.barge_in()
        _until(lambda ended=ended: len(player.ended) > ended)
        silent_ms.append(1e3 * (player.ended[-1] - asked))
        _wait(answer)
        count = len(player.began)
        answer = speaker.say(Speech(LONG, Priority.ANSWER, resume=False))
        _until(lambda count=count: len(player.began) > count)
        asked, count = time.monotonic(), len(player.began)
        urgent = speaker.say(Speech(f"Attention {number}. Step back.", Priority.EMERGENCY))
        _until(lambda count=count: len(player.began) > count)
        urgent_ms.append(1e3 * (player.began[count] - asked))
        _wait(urgent)
        _wait(answer)
    speaker.close()
    return {
        "barge_in_request_to_silence_p95_ms": _p95(silent_ms), "urgent_request_to_sound_p95_ms": _p95(urgent_ms),
        "rounds": rounds,
    }  # fmt: skip


def player_kills(rounds: int) -> dict[str, Any]:
    """Stop of a real player process: request to its end. There is no sound card here: a sleeping process stands in."""
    sound, ended_ms = Sound(np.zeros(RATE_HZ, np.int16), RATE_HZ), []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "player"
        program.write_text("#!/bin/sh\nexec sleep 1000\n")
        program.chmod(0o755)
        player = AlsaPlayer(program=str(program))
        for _ in range(rounds):
            playback = player.play(sound)
            time.sleep(0.05)
            asked = time.monotonic()
            playback.stop()
            playback.wait()
            ended_ms.append(1e3 * (time.monotonic() - asked))
    return {"player_process_killed_p95_ms": _p95(ended_ms)}


def turns() -> dict[str, Any]:
    """Whole turns in real time, with the test recognisers: end of speech → final text → first sound of the answer."""
    models: dict[Language, Path] = {"en": share() / "models/vosk-test-en", "zh": share() / "models/vosk-test-zh"}
    retriever, synthesiser = load_retriever(), Synthesiser()
    recogniser = Recogniser(models, grammar_phrases(load()))
    player = StampedPlayer()
    speaker = Speaker(Synthesiser(), player)
    end_to_final, final_to_sound, barge_in, right = [], [], [], 0
    synthesiser.submit("Ready.").result(60)
    for text, language, answer in QUESTIONS:
        sound = synthesiser.submit(text, language).result(60)
        speech = resample(sound.samples, sound.rate_hz)
        audible = np.flatnonzero(np.abs(speech) > 500)
        audio = np.concatenate([np.zeros(RATE_HZ // 2), speech, np.zeros(RATE_HZ)])
        audio += np.random.default_rng(1).normal(0, 20, len(audio))
        first_s, last_s = ((RATE_HZ // 2 + audible[i]) / RATE_HZ for i in (0, -1))
        turn = _turn(recogniser, retriever, synthesiser, speaker, audio.astype(np.int16), language)
        if turn is not None:
            silent_s, final_s, sound_s, found = turn
            barge_in.append(1e3 * (silent_s - first_s))
            end_to_final.append(1e3 * (final_s - last_s))
            final_to_sound.append(1e3 * (sound_s - final_s))
            right += found == answer
    recogniser.close()
    synthesiser.close()
    speaker.close()
    return {
        "turns": len(QUESTIONS), "turns_right": right, "speech_start_to_silence_p95_ms": _p95(barge_in),
        "speech_end_to_final_text_p95_ms": _p95(end_to_final), "final_text_to_first_sound_p95_ms": _p95(final_to_sound),
        "speech_end_to_first_sound_p95_ms": _p95([a + b for a, b in zip(end_to_final, final_to_sound, strict=True)]),
    }  # fmt: skip


def _turn(
    recogniser: Recogniser, retriever: Retriever, synthesiser: Synthesiser, speaker: Speaker,
    audio: NDArray[np.int16], language: Language,
) -> tuple[float, float, float, str] | None:  # fmt: skip
    """Feed one question at the pace of a microphone while an answer is being said.

    Returns when, from the start of the audio, the robot fell silent, had the final text and the first sound of its
    answer; and the entry found.
    """
    heard: list[tuple[float, Utterance]] = []
    silent: list[float] = []
    began = time.monotonic()

    def pause(begins: bool) -> None:
        if begins:
            speaker.pause()
        else:
            speaker.go_on()

    def caption(now: Caption) -> None:
        if now.state in ("interrupted", "finished"):
            silent.append(time.monotonic() - began)

    def barge_in() -> None:
        speaker.barge_in()

    _wait(speaker.say(Speech("Ready.", Priority.ANSWER)))
    answer = speaker.say(Speech(LONG * 3, Priority.ANSWER, on_caption=caption))
    _until(lambda: speaker.playing)
    listener = Listener(
        recogniser, lambda u: heard.append((time.monotonic() - began, u)), barge_in, on_onset=pause
    )  # fmt: skip
    listener.robot_speaks(True)
    began = time.monotonic()
    for start in range(0, len(audio), BLOCK):
        time.sleep(max(0.0, (start + BLOCK) / RATE_HZ - (time.monotonic() - began)))
        listener.feed(audio[start : start + BLOCK])
    listener.finish()
    _wait(answer)
    if not heard or not silent or not heard[0][1].text:
        return None
    # What follows the final text is timed by itself, as the audio above is fed to its end first.
    again = time.monotonic()
    found = retriever.find(heard[0][1].text, language)
    if found.entry is None:
        return None
    first = found.entry.wording(language).answer.split("。")[0].split(". ")[0]
    synthesiser.submit(first, language).result(60)
    return silent[0], heard[0][0], heard[0][0] + time.monotonic() - again, found.entry.id


def detection(folder: Path) -> dict[str, Any]:
    """Voice detection on real sound: utterances found in noise, and share of the speech clips' time kept."""
    clips = sorted((folder / "en").glob("*.wav")) + sorted((folder / "zh").glob("*.wav"))
    noises = sorted((folder / "noise").glob("*.wav"))
    if not clips or not noises:
        raise InputError(folder, "has no en/, zh/ and noise/ with WAV files")
    false, onsets, noise_s, found, kept, noticed = 0, 0, 0.0, 0, [], []
    for path in noises:
        samples = read_wav(path)
        pointer = EndPointer()
        events = pointer.feed(samples) + pointer.finish()
        false += sum(isinstance(e, SpeechStart) for e in events)
        onsets += sum(isinstance(e, SpeechOnset) for e in events)
        noise_s += len(samples) / RATE_HZ
    for path in clips:
        samples = read_wav(path)
        pointer = EndPointer(EndPointing())
        events = pointer.feed(samples) + pointer.finish()
        audio = sum(len(e.audio) for e in events if isinstance(e, SpeechStart | SpeechAudio))
        found += any(isinstance(e, SpeechStart) for e in events)
        kept.append(audio / len(samples))
        noticed += _noticed_ms(samples)
    return {
        "noise_s": round(noise_s, 1), "false_utterances": false, "false_pauses": onsets,
        "clip_loud_to_onset_p50_ms": round(float(np.median(noticed)), 1), "clip_loud_to_onset_p95_ms": _p95(noticed),
        "clips": len(clips), "clips_with_speech_found": found,
        "clip_time_kept": round(float(np.mean(kept)), 4),
    }  # fmt: skip


def denoising(folder: Path) -> dict[str, Any]:
    """What the denoiser gains on real speech in real noise (SI-SDR, Le Roux et al. 2019); nothing when it is absent."""
    try:
        denoiser = Denoiser(find(MODEL))
    except InputError:
        return {"denoiser": None}
    noises = [read_wav(path) for path in sorted((folder / "noise").glob("*.wav"))]
    gains: dict[int, list[float]] = {20: [], 5: [], 0: []}
    spent_s = heard_s = 0.0
    for number, path in enumerate(sorted((folder / "en").glob("*.wav")) + sorted((folder / "zh").glob("*.wav"))):
        clean = read_wav(path)[: 3 * RATE_HZ].astype(float)
        noise = np.resize(noises[number % len(noises)], len(clean)).astype(float)
        for snr_db, found in gains.items():
            mixed = clean / clean.std() + noise / noise.std() * 10 ** (-snr_db / 20)
            audio = (mixed / np.abs(mixed).max() * 20_000).astype(np.int16)
            began = time.process_time()
            denoiser.begin()
            pieces = [denoiser.feed(audio[i : i + CHUNK]) for i in range(0, len(audio), CHUNK)] + [denoiser.finish()]
            spent_s += time.process_time() - began
            heard_s += len(audio) / RATE_HZ
            found.append(_si_sdr_db(np.concatenate(pieces), clean) - _si_sdr_db(audio, clean))
    return {f"denoiser_gain_at_{snr}_db_snr_db": round(float(np.mean(found)), 2) for snr, found in gains.items()} | {
        "denoiser_processor_share": round(spent_s / heard_s, 4)
    }  # fmt: skip


def _si_sdr_db(heard: NDArray[np.int16], clean: NDArray[np.float64]) -> float:
    centred, reference = heard - heard.mean(), clean - clean.mean()
    target = (centred @ reference) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / ((centred - target) @ (centred - target))))


def _noticed_ms(samples: NDArray[np.int16]) -> list[float]:
    """Time of audio from the first loud 10 ms (25 dB below the loudest) to the onset; breath may be loud too."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
    power = np.mean(frames**2, axis=1)
    first = int(np.flatnonzero(power > power.max() * 10**-2.5)[0]) * 160
    pointer = EndPointer()
    padded = np.concatenate([np.zeros(max(0, RATE_HZ - first), np.int16), samples])
    for start in range(0, len(padded), CHUNK):
        if any(isinstance(e, SpeechOnset) for e in pointer.feed(padded[start : start + CHUNK])):
            return [1e3 * (start + CHUNK - (len(padded) - len(samples)) - first) / RATE_HZ]
    return []


def _wait(speech: Speech) -> None:
    if not speech.done.wait(60):
        raise TimeoutError(f"“{speech.text[:20]}” was not over within a minute")


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("did not happen within a minute")
        time.sleep(0.0005)


def _p95(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 1) if values else None
