"""The real vosk path, with the small recognisers built from synthetic speech, and hearing from stream to utterance."""

from __future__ import annotations

import os
import shutil
import signal
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.voice.audio import Microphone, level, read_wav, resample
from inspection_robot.voice.listening import Listener, Utterance
from inspection_robot.voice.recognition import Recogniser, better_pass, choose, hypothesis
from inspection_robot.voice.recognition_worker import known_phrases
from inspection_robot.voice.synthesis import Synthesiser
from inspection_robot.voice.transcribe_command import transcript
from inspection_robot.voice.vad import (
    CHUNK,
    EndPointer,
    EndPointing,
    FalseOnset,
    SpeechAudio,
    SpeechEnd,
    SpeechOnset,
    SpeechStart,
)
from tests.data import need

MODELS = {"en": share() / "models" / "vosk-test-en", "zh": share() / "models" / "vosk-test-zh"}
PHRASES = {"en": ["can i bring an apple", "is a unicorn allowed"], "zh": ["可以带水果入境吗"]}

Samples = NDArray[np.int16]
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture(scope="module")
def say() -> Iterator[Callable[[str], Samples]]:
    """Synthetic speech at 16 kHz in slight noise, with silence around it."""
    synthesiser = Synthesiser()

    def make(text: str) -> Samples:
        sound = synthesiser.submit(text).result(60)
        speech = resample(sound.samples, sound.rate_hz)
        padded = np.concatenate([np.zeros(8000), speech, np.zeros(16_000)])
        return (padded + np.random.default_rng(1).normal(0, 20, len(padded))).astype(np.int16)

    yield make
    synthesiser.close()


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    made = Recogniser(MODELS, PHRASES)
    yield made
    made.close()


def hear(recogniser: Recogniser | None, audio: Samples, block: int = 1600) -> list[Utterance]:
    heard: list[Utterance] = []
    listener = Listener(recogniser, heard.append)
    for start in range(0, len(audio), block):
        listener.feed(audio[start : start + block])
    listener.finish()
    return heard


@needs_espeak
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("can i bring an apple", "en"),
        ("how much cash may i carry", "en"),
        ("可以带水果入境吗", "zh"),
        ("香烟可以带多少", "zh"),
    ],
)
def test_speech_in_either_language_is_understood_with_word_times(
    recogniser: Recogniser, say: Callable[[str], Samples], text: str, language: str
) -> None:
    (utterance,) = hear(recogniser, say(text))
    assert (utterance.language, utterance.text) == (language, text)
    assert utterance.confidence > 0.5
    starts = [w.start_s for w in utterance.words]
    assert starts == sorted(starts) and starts[0] >= 0 and utterance.words[-1].end_s <= utterance.duration_s


@needs_espeak
def test_what_lies_outside_the_vocabulary_is_not_forced_into_it(
    recogniser: Recogniser, say: Callable[[str], Samples]
) -> None:
    for text in ("mountains rise beyond the river", "窗外小鸟唱歌"):
        (utterance,) = hear(recogniser, say(text))
        assert (utterance.language, utterance.text) == ("und", "")


@needs_espeak
def test_partial_texts_come_before_the_end(say: Callable[[str], Samples]) -> None:
    partials: list[tuple[str, str]] = []
    recogniser = Recogniser({"en": MODELS["en"]}, on_partial=lambda *now: partials.append(now))
    (utterance,) = hear(recogniser, say("where is the red channel"))
    recogniser.close()
    assert utterance.text == "where is the red channel"
    assert partials and all(language == "en" for language, _ in partials)
    assert any(utterance.text.startswith(f"{text} ") for _, text in partials if text)


@needs_espeak
def test_two_questions_in_one_stream_are_two_utterances(recogniser: Recogniser, say: Callable[[str], Samples]) -> None:
    audio = np.concatenate([say("is cheese allowed"), say("牛奶可以带吗")])
    assert [(u.language, u.text) for u in hear(recogniser, audio)] == [
        ("en", "is cheese allowed"),
        ("zh", "牛奶可以带吗"),
    ]


@needs_espeak
def test_a_recogniser_that_dies_is_named_and_replaced(say: Callable[[str], Samples]) -> None:
    recogniser = Recogniser({"zh": MODELS["zh"]})
    recogniser.begin()
    os.kill(recogniser._processes["zh"]._process.pid, signal.SIGKILL)
    with pytest.raises(InputError, match="died in mid-sentence"):
        recogniser.end()
    (utterance,) = hear(recogniser, say("我发烧了"))
    assert utterance.text == "我发烧了"
    recogniser.close()


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"am/final\.mdl.* missing"):
        Recogniser({"en": tmp_path})


def test_a_grammar_holds_only_phrases_whose_words_the_model_knows() -> None:
    known = {"can", "i", "bring", "可以", "带", "水果", "水", "吗"}.__contains__
    assert known_phrases(["can i bring", "can i fly", "bring BRING"], known, by_character=False) == [
        "can i bring",
        "bring bring",
    ]
    assert known_phrases(["可以带水果吗", "可以带猫吗"], known, by_character=True) == ["可以 带 水果 吗"]


def word(text: str, start: float, end: float, confidence: float) -> dict[str, object]:
    return {"word": text, "start": start, "end": end, "conf": confidence}


def test_unknown_words_and_silence_lower_the_score() -> None:
    sure = hypothesis("en", [word("stop", 0, 1, 1.0)], 1.0)
    half = hypothesis("en", [word("stop", 0, 1, 1.0), word("[unk]", 1, 2, 1.0)], 2.0)
    sparse = hypothesis("en", [word("stop", 0, 1, 1.0)], 4.0)
    assert sure.score == 1.0 and half.score == pytest.approx(0.5) and sparse.score == pytest.approx(0.25)
    assert half.text == "stop"


def test_the_conversation_so_far_decides_between_equals_only() -> None:
    english, chinese = hypothesis("en", [word("no", 0, 1, 0.8)], 1.0), hypothesis("zh", [word("不", 0, 1, 0.82)], 1.0)
    assert choose([english, chinese]).language == "zh"
    assert choose([english, chinese], before="en").language == "en"
    assert choose([english, hypothesis("zh", [word("不", 0, 1, 1.0)], 1.0)], before="en").language == "zh"
    assert choose([]).language == "und"


def test_a_grammar_is_not_believed_against_an_open_pass_that_heard_nothing() -> None:
    bound = hypothesis("en", [word("apple", 0, 1, 1.0)], 1.0, by_grammar=True)
    nothing = hypothesis("en", [word("[unk]", 0, 1, 1.0)], 1.0)
    assert better_pass(nothing, bound) is nothing
    assert better_pass(hypothesis("en", [word("apples", 0, 1, 0.9)], 1.0), bound) is bound


# End-pointing, with a detector that the test controls: loud is speech.


def loud(chunk: Samples) -> float:
    return 1.0 if np.abs(chunk).max() > 1000 else 0.0


def pattern(*seconds: float) -> Samples:
    """Silence and sound in turn."""
    pieces = [np.full(round(s * 16_000), 5000 * (i % 2), np.int16) for i, s in enumerate(seconds)]
    return np.concatenate(pieces)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 1.5), min_size=1, max_size=8), st.integers(1, 4000))
def test_end_points_do_not_depend_on_how_the_stream_is_cut(seconds: list[float], block: int) -> None:
    audio = pattern(*seconds)
    whole = EndPointer(probability=loud).feed(audio)
    pointer, pieces = EndPointer(probability=loud), []
    for start in range(0, len(audio), block):
        pieces += pointer.feed(audio[start : start + block])
    assert [type(e) for e in pieces] == [type(e) for e in whole]
    assert [e.start_s for e in pieces if isinstance(e, SpeechStart)] == [
        e.start_s for e in whole if isinstance(e, SpeechStart)
    ]


def test_an_utterance_keeps_what_was_just_before_it_and_ends_after_silence() -> None:
    settings_ = EndPointing(before_s=0.3, silence_s=0.45)
    events = EndPointer(settings_, loud).feed(pattern(1.0, 1.0, 1.0))
    onset, start, *middle, end = events
    assert isinstance(onset, SpeechOnset)
    assert isinstance(start, SpeechStart) and isinstance(end, SpeechEnd) and not end.cut
    assert 0.7 <= start.start_s <= 1.0 < start.start_s + len(start.audio) / 16_000
    assert all(isinstance(event, SpeechAudio) for event in middle)
    assert 2.4 <= end.end_s <= 2.5


def test_a_click_is_no_utterance_and_endless_speech_is_cut() -> None:
    assert EndPointer(probability=loud).feed(pattern(0.512, 0.032, 1.0)) == []
    assert EndPointer(probability=loud).feed(pattern(0.512, 0.064, 1.0)) == [SpeechOnset(), FalseOnset()]
    events = EndPointer(EndPointing(longest_s=3.0), loud).feed(pattern(0.5, 10.0))
    ends = [event for event in events if isinstance(event, SpeechEnd)]
    assert len(ends) >= 3 and all(end.cut for end in ends)


def test_an_onset_is_told_and_taken_back_when_it_was_nothing() -> None:
    onsets: list[bool] = []
    begun: list[int] = []
    listener = Listener(
        None, lambda _: None, lambda: begun.append(len(onsets)), on_onset=onsets.append,
        end_pointer=EndPointer(probability=loud),
    )  # fmt: skip
    listener.feed(pattern(0.512, 0.064, 0.512, 0.512, 1.0))
    assert onsets == [True, False, True] and begun == [3]


def test_the_robot_does_not_hear_itself_but_hears_who_is_louder() -> None:
    heard: list[Utterance] = []
    begun: list[bool] = []
    pointer = EndPointer(probability=lambda chunk: 1.0 if np.abs(chunk).max() > 300 else 0.0)
    listener = Listener(None, heard.append, lambda: begun.append(True), end_pointer=pointer)
    echo, traveller = np.full(1600, 800, np.int16), np.full(1600, 12_000, np.int16)
    listener.robot_speaks(True)
    for _ in range(30):
        listener.feed(echo)
    assert not begun
    for _ in range(5):
        listener.feed(traveller)
    assert begun


def test_without_a_model_an_utterance_says_so() -> None:
    heard: list[Utterance] = []
    listener = Listener(None, heard.append, end_pointer=EndPointer(probability=loud))
    listener.feed(pattern(0.5, 1.0, 1.0))
    assert [u.fault for u in heard] == ["no speech model"]


# Recordings.


def write_wav(path: Path, samples: Samples, rate_hz: int = 16_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path


def test_other_rates_and_channels_are_brought_to_ours(tmp_path: Path) -> None:
    tone = (8000 * np.sin(np.arange(44_100) * 2 * np.pi * 440 / 44_100)).astype(np.int16)
    stereo = np.stack([tone, tone], axis=1).reshape(-1)
    samples = read_wav(write_wav(tmp_path / "a.wav", stereo, 44_100, 2))
    assert len(samples) == 16_000
    assert np.argmax(np.abs(np.fft.rfft(samples.astype(float)))) == 440


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "not a readable WAV"), (b"RIFF0000WAVEjunk", "not a readable WAV"), (b"\x00" * 4000, "not a readable WAV")],
)
def test_files_that_are_no_recordings_are_named(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        read_wav(path)


def test_recordings_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", np.ones(16_000, np.int16))
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:5000])
    write_wav(tmp_path / "slow.wav", np.ones(4000, np.int16), 4000)
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16))
    for name, fault in (
        ("cut", "cut short"),
        ("slow", "lowest rate"),
        ("empty", "no sound"),
        ("none", "does not exist"),
    ):
        with pytest.raises(InputError, match=fault):
            read_wav(tmp_path / f"{name}.wav")


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_recording_or_a_named_fault(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "x.wav"
    path.write_bytes(content)
    try:
        assert read_wav(path).dtype == np.int16
    except InputError as error:
        assert str(path) in str(error)


def test_silence_noise_and_clipping_are_told_apart(tmp_path: Path, recogniser: Recogniser) -> None:
    generator = np.random.default_rng(3)
    square = np.where(np.arange(32_000) // 40 % 2, 32_767, -32_768).astype(np.int16)
    sounds = {
        "silent": np.zeros(32_000, np.int16),
        "no speech": generator.normal(0, 500, 32_000).astype(np.int16),
        "clipped": square,
    }
    for fault, samples in sounds.items():
        result = transcript(recogniser, write_wav(tmp_path / "a.wav", samples))
        assert (result["language"], result["text"], result["fault"]) == ("und", "", fault)
    assert level(np.zeros(0, np.int16)).fault == "silent"


def test_a_microphone_that_vanishes_is_named(tmp_path: Path) -> None:
    program = tmp_path / "recorder"
    program.write_text("#!/bin/sh\nhead -c 6400 /dev/zero\necho 'audio open error: No such device' >&2\nexit 1\n")
    program.chmod(0o755)
    chunks = Microphone(program=str(program)).chunks(1600)
    assert [len(next(chunks)), len(next(chunks))] == [1600, 1600]
    with pytest.raises(InputError, match="No such device"):
        next(chunks)
    with pytest.raises(InputError, match="not installed"):
        next(Microphone(program="no-such-recorder").chunks(1600))


def test_real_speech_is_found_and_real_noise_is_not() -> None:
    folder = need("voice")
    for path in sorted((folder / "noise").glob("*.wav")):
        pointer = EndPointer()
        events = pointer.feed(read_wav(path)[: 8 * 16_000]) + pointer.finish()
        assert not any(isinstance(event, SpeechStart) for event in events), path.name
    for path in sorted((folder / "en").glob("*.wav")) + sorted((folder / "zh").glob("*.wav")):
        events = EndPointer().feed(read_wav(path)[: 4 * 16_000])
        assert any(isinstance(event, SpeechStart) for event in events), path.name
    assert CHUNK == 512
