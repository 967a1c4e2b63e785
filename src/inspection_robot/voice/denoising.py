"""Noise taken out of speech by GTCRN, a small recurrent network over short-time spectra, frame by frame.

Model: Rong et al., "GTCRN: A Speech Enhancement Model Requiring Ultralow Computational Resources", ICASSP 2024; the
streaming form in ONNX is a third-party file (``./robot models fetch``). It helps in loud noise and harms clean speech,
so :class:`~inspection_robot.voice.listening.Listener` uses it below a signal-to-noise ratio only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError

MODEL = "gtcrn_simple.onnx"
FRAME, HOP = 512, 256
"""Samples at 16 kHz of a spectrum, and between two: the network was trained on them."""

STATES = {"conv_cache": (2, 1, 16, 16, 33), "tra_cache": (2, 3, 1, 1, 16), "inter_cache": (2, 1, 33, 16)}
"""What the network remembers of the frames before: name → shape."""

_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME))
"""Root of the periodic Hann window: applied before and after, its squares add up to one at half overlap."""

Samples = NDArray[np.int16]


class Denoiser:
    """Cleans one utterance at a time.

    Args:
        path: the ONNX file.

    Raises:
        InputError: the file cannot be read, or is another network.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime  # 0.2 s of start-up that only robots with the model need

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - onnxruntime raises its own classes, all derived from Exception
            raise InputError(path, f"is not a readable network: {str(error).splitlines()[0]}") from None
        wanted = {"mix": (1, FRAME // 2 + 1, 1, 2)} | STATES
        if {node.name: tuple(node.shape) for node in self._session.get_inputs()} != wanted:
            raise InputError(path, "is not the streaming GTCRN network")
        self.begin()

    def begin(self) -> None:
        """Start an utterance."""
        self._states = {name: np.zeros(shape, np.float32) for name, shape in STATES.items()}
        self._rest = np.zeros(FRAME - HOP)
        self._tail = np.zeros(FRAME - HOP)
        self._fed = self._given = 0
        self._early = FRAME - HOP

    def feed(self, audio: Samples) -> Samples:
        """Take more of the utterance; returns what is clean so far, 16 to 32 ms behind."""
        self._fed += len(audio)
        data = np.concatenate([self._rest, audio / 32768.0])
        count = max(0, (len(data) - FRAME) // HOP + 1)
        pieces = [self._frame(data[i * HOP : i * HOP + FRAME]) for i in range(count)]
        self._rest = data[count * HOP :]
        return self._limited(np.concatenate(pieces) if pieces else np.zeros(0))

    def finish(self) -> Samples:
        """End the utterance; returns the rest of it, so that it is as long as what was fed."""
        missing = self._fed - self._given
        padding = np.zeros(missing + FRAME, np.int16)
        fed = self._fed
        rest = self.feed(padding)[:missing]
        self._fed = fed
        return rest

    def _frame(self, frame: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(frame * _WINDOW)
        mix = np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32)[None, :, None, :]
        clean, *states = self._session.run(None, {"mix": mix, **self._states})
        self._states = dict(zip(STATES, states, strict=True))
        sound = np.fft.irfft(clean[0, :, 0, 0] + 1j * clean[0, :, 0, 1], FRAME) * _WINDOW
        ready = self._tail + sound[:HOP]
        self._tail = sound[HOP:]
        return np.asarray(ready)

    def _limited(self, sound: NDArray[np.float64]) -> Samples:
        """As 16 bit. The first hop belongs to the zeros before the utterance and is left out."""
        late, self._early = min(self._early, len(sound)), max(0, self._early - len(sound))
        self._given += len(sound) - late
        return np.clip(np.rint(sound[late:] * 32768), -32768, 32767).astype(np.int16)
