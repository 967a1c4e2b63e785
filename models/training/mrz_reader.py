"""Train `models/mrz_reader.onnx`, the classifier that reads one line of a machine readable zone.

Every training picture is rendered here: OCR-B outlines (Debian's `fonts-ocr-b`; the outlines may be used without
limitation) at one character a pitch, printed over invented security backgrounds, photographed by an invented camera
(perspective, blur, low resolution, glare, noise, JPEG) and cut to the height the reader uses. No picture of a real or
specimen document takes part.

Needs PyTorch and onnx, which the robot does not:

    python -m venv /tmp/train && /tmp/train/bin/pip install torch==2.13.0 onnx numpy opencv-python-headless pillow
    /tmp/train/bin/python models/training/mrz_reader.py --output models/mrz_reader.onnx
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
BLANK = len(ALPHABET)
IGNORE = -100
LINE_HEIGHT = 32
CROP_WIDTH = 256
STRIDE = 4
MASTER_PITCH = 40
BASELINE_ROW, CENTRE_ROW = 67, 49.0
FONTS = ("OCRB.otf", "OCRBS.otf")


@dataclass(frozen=True)
class Sample:
    """One rendered crop: `picture` (32, 256) uint8 and `labels` (64,) int64, class by column of the output."""

    picture: np.ndarray
    labels: np.ndarray


def random_text(rng: np.random.Generator, length: int) -> str:
    """Characters as a zone has them: names, numbers, dates, runs of fillers."""
    pieces: list[str] = []
    while sum(map(len, pieces)) < length:
        kind = rng.random()
        count = int(rng.integers(1, 9))
        if kind < 0.25:
            pieces.append("<" * count)
        elif kind < 0.55:
            pieces.append("".join(rng.choice(list(ALPHABET[:10]), count)))
        elif kind < 0.85:
            pieces.append("".join(rng.choice(list(ALPHABET[10:36]), count)))
        else:
            pieces.append("".join(rng.choice(list(ALPHABET), count)))
    return "".join(pieces)[:length]


def draw_text(rng: np.random.Generator, fonts: list[ImageFont.FreeTypeFont], text: str) -> np.ndarray:
    """Ink of one line, (96, (len + 2) · 40) float32 in 0..1, character i centred at (i + 1.5) · 40 px."""
    font = fonts[int(rng.integers(len(fonts)))]
    canvas = Image.new("L", ((len(text) + 2) * MASTER_PITCH, 96), 0)
    pen = ImageDraw.Draw(canvas)
    for index, character in enumerate(text):
        jitter = rng.normal(0.0, 0.6)
        pen.text(((index + 1.5) * MASTER_PITCH + jitter, BASELINE_ROW), character, fill=255, font=font, anchor="ms")
    ink = np.asarray(canvas, np.float32) / 255.0
    weight = int(rng.integers(-1, 3))
    if weight > 0:
        ink = cv2.dilate(ink, np.ones((weight + 1, weight + 1), np.uint8))
    elif weight < 0:
        ink = cv2.erode(ink, np.ones((2, 2), np.uint8))
    if rng.random() < 0.2:  # worn print: ink missing in grains
        grain = cv2.GaussianBlur(rng.random(ink.shape, np.float32), (0, 0), 1.5)
        ink = ink * (grain > np.quantile(grain, rng.uniform(0.02, 0.2)))
    return ink


def background(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Paper with gradients, guilloche lines, other print and stamps, (h, w) float32 in 0..1."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    paper = np.full(shape, rng.uniform(0.55, 1.0), np.float32)
    paper += rng.uniform(-0.15, 0.15) * (columns / shape[1] - 0.5) + rng.uniform(-0.1, 0.1) * (rows / shape[0] - 0.5)
    for _ in range(int(rng.integers(0, 4))):
        angle, period = rng.uniform(0, np.pi), rng.uniform(6, 60)
        bend = 10 * np.sin(columns / rng.uniform(40, 200) + rng.uniform(0, 6))
        phase = (columns * np.cos(angle) + (rows + bend) * np.sin(angle)) / period
        paper -= rng.uniform(0.0, 0.12) * (np.sin(2 * np.pi * phase) > rng.uniform(-0.5, 0.9))
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.4 else 0):
        start = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        end = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        stroke = cv2.line(np.zeros(shape, np.float32), start, end, 1.0, int(rng.integers(1, 5)))
        paper -= rng.uniform(0.05, 0.4) * stroke
    texture = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), rng.uniform(1, 8))
    return paper + rng.uniform(0, 0.05) * texture / (texture.std() + 1e-6)


def distractor(rng: np.random.Generator) -> np.ndarray:
    """Ink of print that is no machine readable zone: another type face, rules, or nothing."""
    ink = np.zeros((96, 22 * MASTER_PITCH), np.uint8)
    if rng.random() < 0.8:
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,/:-"
        text = "".join(rng.choice(list(letters), 60))
        face = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
        cv2.putText(ink, text, (5, 66), face, rng.uniform(0.9, 2.0), 255, int(rng.integers(1, 6)), cv2.LINE_AA)
    return ink.astype(np.float32) / 255.0


def photograph(rng: np.random.Generator, ink: np.ndarray, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Take the picture of a line: (32, 256) uint8 and the 3×3 map from master to picture coordinates."""
    contrast = rng.uniform(0.25, 0.9) if rng.random() < 0.9 else rng.uniform(0.15, 0.3)
    scene = background(rng, ink.shape) - contrast * ink
    if rng.random() < 0.25:
        centre = (rng.uniform(0, ink.shape[1]), rng.uniform(0, 96))
        rows, columns = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]].astype(np.float32)
        glare = np.exp(-((columns - centre[0]) ** 2 / rng.uniform(40, 200) ** 2 + (rows - centre[1]) ** 2 / 60**2))
        scene += rng.uniform(0.1, 0.7) * glare.astype(np.float32)
    # The camera's own resolution, then blur, noise and JPEG, then what the reader does: scale to its line height.
    native_pitch = float(np.exp(rng.uniform(np.log(6.5), np.log(24))))
    scale = native_pitch / MASTER_PITCH
    blur = (
        rng.uniform(0.1, 0.5) / scale
        if rng.random() < 0.7
        else rng.uniform(0.3, 1.1) * min(1, native_pitch / 12) / scale
    )
    scene = cv2.GaussianBlur(scene, (0, 0), max(blur, 0.3))
    if rng.random() < 0.15:
        length = max(2, int(rng.uniform(0.1, 0.3) * MASTER_PITCH))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
        scene = cv2.filter2D(scene, -1, kernel / kernel.sum())
    shift = np.array([[1, 0, rng.uniform(0, 2)], [0, 1, rng.uniform(0, 2)], [0, 0, 1]])
    down = np.diag([scale, scale, 1.0]) @ shift
    size = (int(scene.shape[1] * scale) + 2, int(scene.shape[0] * scale) + 2)
    native = cv2.warpPerspective(scene, down, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    gain, offset = rng.uniform(0.5, 1.05), rng.uniform(-0.05, 0.1)
    native = native * gain + offset + rng.normal(0, rng.uniform(0, 0.03), native.shape)
    native8 = np.clip(native * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        _, encoded = cv2.imencode(".jpg", native8, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        native8 = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    angle, shear = np.deg2rad(rng.normal(0, 0.7)), rng.normal(0, 0.06)
    vertical = pitch * rng.uniform(0.85, 1.15)
    up = np.array(
        [
            [pitch / native_pitch, shear * vertical / native_pitch, 0],
            [np.sin(angle) * pitch / native_pitch, vertical / native_pitch, 0],
            [0, 0, 1],
        ]
    )
    placed = up @ down
    start = rng.uniform(0, max(1.0, ink.shape[1] * pitch / MASTER_PITCH - CROP_WIDTH))
    middle = placed @ np.array([ink.shape[1] * 0.5, CENTRE_ROW, 1])
    crop = np.array([[1, 0, -start], [0, 1, LINE_HEIGHT / 2 - middle[1] + rng.normal(0, 1.3)], [0, 0, 1]])
    picture = cv2.warpPerspective(
        native8, crop @ up, (CROP_WIDTH, LINE_HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return picture, crop @ placed


def make_sample(rng: np.random.Generator, fonts: list[ImageFont.FreeTypeFont]) -> Sample:
    """Render one labelled crop."""
    pitch = rng.uniform(13, 22)
    labels = np.full(CROP_WIDTH // STRIDE, BLANK, np.int64)
    if rng.random() < 0.12:
        picture, _ = photograph(rng, distractor(rng), pitch)
        return Sample(picture, labels)
    length = int(rng.integers(8, 21)) if rng.random() < 0.5 else 20
    text = random_text(rng, length)
    ink = draw_text(rng, fonts, text)
    if rng.random() < 0.35:  # the neighbouring line of the zone reaches into the crop
        other = draw_text(rng, fonts, random_text(rng, length))
        gap = int(rng.uniform(72, 100))
        above, below = np.zeros_like(ink), np.zeros_like(ink)
        if gap < 96:
            above[: 96 - gap], below[gap:] = other[gap:], other[: 96 - gap]
        ink = np.maximum(ink, above if rng.random() < 0.5 else below)
    picture, placed = photograph(rng, ink, pitch)
    centres = placed @ np.stack(
        [(np.arange(length) + 1.5) * MASTER_PITCH, np.full(length, CENTRE_ROW), np.ones(length)]
    )
    positions = (centres[0] / centres[2]).astype(np.float64)
    columns = np.arange(CROP_WIDTH // STRIDE) * STRIDE + (STRIDE - 1) / 2
    distance = np.abs(columns[:, None] - positions[None, :]) / pitch
    nearest = distance.argmin(axis=1)
    gap_to_nearest = distance[np.arange(len(columns)), nearest]
    classes = np.array([ALPHABET.index(character) for character in text])
    labels = np.where(gap_to_nearest < 0.24, classes[nearest], BLANK)
    labels[(gap_to_nearest >= 0.24) & (gap_to_nearest < 0.38)] = IGNORE
    # A character cut by the edge of the crop cannot be asked for.
    labels[: int(0.3 * pitch / STRIDE) + 1] = IGNORE
    labels[-int(0.3 * pitch / STRIDE) - 1 :] = IGNORE
    return Sample(picture, labels.astype(np.int64))


class LineReader(nn.Module):
    """Fully convolutional: (n, 1, 32, w) pictures in -1..1 → (n, w / 4, 38) log-probabilities."""

    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]

        self.features = nn.Sequential(
            *block(1, 16), nn.MaxPool2d(2),
            *block(16, 40), nn.MaxPool2d(2),
            *block(40, 64), *block(64, 64), nn.MaxPool2d((2, 1)),
            nn.Conv2d(64, 96, (4, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(96), nn.ReLU(True),
            nn.Conv2d(96, 96, (1, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(96), nn.ReLU(True),
            nn.Conv2d(96, BLANK + 1, 1),
        )  # fmt: skip

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Log-probability of every class in every column."""
        return self.features(pictures).squeeze(2).transpose(1, 2).log_softmax(-1)


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit deviation a picture, as `inspection_robot.documents.mrz_reader` does."""
    values = pictures.float().unsqueeze(1)
    mean = values.mean(dim=(2, 3), keepdim=True)
    deviation = values.std(dim=(2, 3), keepdim=True)
    return (values - mean) / (deviation + 8.0)


def train(model: LineReader, pool: list[Sample], minutes: float, seed: int) -> dict[str, float]:
    """Train on the pool until the time is used; returns the accuracy on rendered crops kept apart."""
    pictures = torch.from_numpy(np.stack([sample.picture for sample in pool]))
    labels = torch.from_numpy(np.stack([sample.labels for sample in pool]))
    held = max(256, len(pool) // 20)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    loss_of = nn.NLLLoss(ignore_index=IGNORE)
    started, step, batch = time.monotonic(), 0, 32
    while (used := (time.monotonic() - started) / (60 * minutes)) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, step / 100 + 0.01) * (0.5 * (1 + np.cos(np.pi * used)) + 0.005)
        chosen = torch.randint(held, len(pool), (batch,), generator=generator)
        inputs, targets = normalise(pictures[chosen]), labels[chosen]
        inputs = inputs + 0.1 * torch.rand(1, generator=generator) * torch.randn(inputs.shape, generator=generator)
        predicted = model(inputs)
        loss = loss_of(predicted.reshape(-1, BLANK + 1), targets.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}  {used:.0%}  loss {loss.item():.4f}", flush=True)
    model.eval()
    with torch.no_grad():
        predicted = torch.cat([model(normalise(part)) for part in pictures[:held].split(256)]).argmax(-1)
    truth = labels[:held]
    counted = truth != IGNORE
    inked = counted & (truth != BLANK)
    return {
        "steps": step,
        "column_accuracy": float((predicted == truth)[counted].float().mean()),
        "character_column_accuracy": float((predicted == truth)[inked].float().mean()),
    }


def main() -> None:
    """Render, train, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("models/mrz_reader.onnx"))
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts/opentype/ocr-b"))
    parser.add_argument("--samples", type=int, default=24000)
    parser.add_argument("--minutes", type=float, default=18.0)
    parser.add_argument("--seed", type=int, default=9303)
    parser.add_argument("--pool", type=Path, help="keep the rendered crops in this .npz file and use them again")
    parser.add_argument("--preview", type=Path, help="write a sheet of rendered crops and stop")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    fonts = [ImageFont.truetype(str(arguments.fonts / name), 54) for name in FONTS]
    if arguments.preview:
        samples = [make_sample(rng, fonts) for _ in range(80)]
        sheet = np.concatenate([np.concatenate([s.picture for s in samples[i::5]], 0) for i in range(5)], 1)
        cv2.imwrite(str(arguments.preview), sheet)
        return
    pool = []
    if arguments.pool and arguments.pool.exists():
        stored = np.load(arguments.pool)
        pool = [Sample(*pair) for pair in zip(stored["pictures"], stored["labels"], strict=True)]
    pool += [make_sample(rng, fonts) for _ in range(arguments.samples - len(pool))]
    if arguments.pool:
        np.savez(
            arguments.pool,
            pictures=np.stack([sample.picture for sample in pool]),
            labels=np.stack([sample.labels for sample in pool]),
        )
    print(f"rendered {len(pool)} crops", flush=True)
    model = LineReader()
    figures = train(model, pool, arguments.minutes, arguments.seed)
    torch.onnx.export(
        model, (torch.zeros(1, 1, LINE_HEIGHT, CROP_WIDTH),), str(arguments.output), dynamo=False,
        input_names=["pictures"], output_names=["log_probabilities"], opset_version=17,
        dynamic_axes={"pictures": {0: "n", 3: "width"}, "log_probabilities": {0: "n", 1: "columns"}},
    )  # fmt: skip
    print(json.dumps({"samples": len(pool), **figures}))


if __name__ == "__main__":
    main()
