from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.model_files import find
from inspection_robot.voice.audio import read_wav
from inspection_robot.voice.denoising import MODEL, Denoiser
from inspection_robot.voice.listening import Listener
from inspection_robot.voice.vad import EndPointer
from tests.data import need


class Ear:
    """In place of a denoiser: passes sound on and notes that it was asked."""

    def __init__(self) -> None:
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1

    def feed(self, audio: np.ndarray) -> np.ndarray:
        return audio

    def finish(self) -> np.ndarray:
        return np.zeros(0, np.int16)


def test_a_file_that_is_not_the_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / MODEL
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match="not a readable network"):
        Denoiser(path)
    with pytest.raises(InputError, match="not the streaming GTCRN network"):
        Denoiser(find("mrz_reader.onnx"))


@pytest.mark.parametrize(("noise", "denoised"), [(100, 0), (3000, 1)])
def test_only_speech_close_to_the_noise_is_denoised(noise: int, denoised: int) -> None:
    rng, ear = np.random.default_rng(1), Ear()
    pointer = EndPointer(probability=lambda chunk: float(np.abs(chunk).mean() > 3500))
    listener = Listener(None, lambda _: None, end_pointer=pointer, denoiser=ear)  # type: ignore[arg-type]  # its methods
    sound = rng.normal(0, noise, 16_000 * 40)
    sound[16_000 * 36 : 16_000 * 38] += 5000.0
    for start in range(0, len(sound), 512):
        listener.feed(sound[start : start + 512].astype(np.int16))
    assert ear.begun == listener.denoised == denoised


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    try:
        return Denoiser(find(MODEL))
    except InputError:
        return Denoiser(need("../models") / MODEL)


def ratio_db(heard: np.ndarray, clean: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, "SDR – half-baked or well done?")."""
    heard, clean = heard - heard.mean(), clean - clean.mean()
    target = (heard @ clean) / (clean @ clean) * clean
    return float(10 * np.log10((target @ target) / ((heard - target) @ (heard - target))))


def test_noise_is_taken_out_of_real_speech_and_no_sample_is_lost(denoiser: Denoiser) -> None:
    folder = need("voice")
    clean = read_wav(sorted((folder / "en").glob("*.wav"))[0])[: 3 * 16_000].astype(float)
    noise = np.resize(read_wav(sorted((folder / "noise").glob("*.wav"))[0]), len(clean)).astype(float)
    mixed = clean / clean.std() + noise / noise.std()
    audio = (mixed / np.abs(mixed).max() * 20_000).astype(np.int16)
    whole = []
    for block in (512, 700):
        denoiser.begin()
        pieces = [denoiser.feed(audio[i : i + block]) for i in range(0, len(audio), block)] + [denoiser.finish()]
        whole.append(np.concatenate(pieces))
        assert len(whole[-1]) == len(audio)
    assert np.array_equal(*whole)  # however the stream is cut
    assert ratio_db(whole[0].astype(float), clean) > ratio_db(audio.astype(float), clean) + 1.0
