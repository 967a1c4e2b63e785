"""Train `models/thermal_face.onnx`: faces, inner canthi, mouth and pose in thermal pictures of any orientation.

    python models/training/thermal_face.py --work /tmp/thermal_face --minutes 25

renders its own training scenes (thermal_face_scenes.py), trains a small convolutional network with PyTorch on the
processor, measures it on scenes rendered from other seeds, and writes the ONNX file. PyTorch, onnx and onnxscript are
needed for training only; see the model card models/thermal_face.md.

The network is a one-stage detector without anchors (Zhou, Wang, Krähenbühl 2019, "Objects as points"): a heat map of
face centres at a quarter of the picture's size, and what each centre knows of its face.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from thermal_face_scenes import FaceLabel, SceneRenderer
from thermal_face_sensor import sensor
from torch import nn

STRIDE = 4
CHANNELS = 16
"""0 centre · 1, 2 offset of the box's centre [cells] · 3, 4 log of width, height [cells] · 5–10 right and left
inner canthus and mouth relative to the cell [box sizes] · 11, 12 cosine, sine of roll · 13 frontal · 14 glasses · 15
covered."""

LABEL_FIELDS = 4 + 6 + 1 + 3


class Separable(nn.Module):
    """Depthwise 3×3 and pointwise convolution; adds its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False), nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.residual = stride == 1 and inputs == outputs
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply both convolutions."""
        y = self.body(x)
        return self.activation(x + y if self.residual else y)


def _lateral(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class FaceNetwork(nn.Module):
    """Grey picture (N, 1, H, W) in 0..1 with sides a multiple of 32 to (N, 16, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), Separable(16, 16)
        )
        self.stage4 = nn.Sequential(Separable(16, 40, 2), Separable(40, 40), Separable(40, 40))
        self.stage8 = nn.Sequential(Separable(40, 80, 2), *[Separable(80, 80) for _ in range(3)])
        self.stage16 = nn.Sequential(Separable(80, 128, 2), *[Separable(128, 128) for _ in range(3)])
        self.stage32 = nn.Sequential(Separable(128, 160, 2), *[Separable(160, 160) for _ in range(2)])
        self.lateral32, self.lateral16, self.lateral8 = _lateral(160, 128), _lateral(128, 80), _lateral(80, 40)
        self.fuse16, self.fuse8, self.fuse4 = Separable(128, 128), Separable(80, 80), Separable(40, 40)
        self.head = nn.Sequential(Separable(40, 64), nn.Conv2d(64, CHANNELS, 1))
        with torch.no_grad():
            self.head[1].bias[0] = -4.0  # faces are rare

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps of logits and geometry."""
        up = lambda t: nn.functional.interpolate(t, scale_factor=2.0, mode="nearest")  # noqa: E731
        s4 = self.stage4(self.stem(x * 2.0 - 1.0))
        s8 = self.stage8(s4)
        s16 = self.stage16(s8)
        s32 = self.stage32(s16)
        f16 = self.fuse16(torch.relu(s16 + up(self.lateral32(s32))))
        f8 = self.fuse8(torch.relu(s8 + up(self.lateral16(f16))))
        f4 = self.fuse4(torch.relu(s4 + up(self.lateral8(f8))))
        return self.head(f4)


class ExportedNetwork(nn.Module):
    """The trained network with its probabilities, and only the local maxima of the centres."""

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Maps of probabilities and geometry."""
        y = self.network(picture)
        centre = torch.sigmoid(y[:, :1])
        peak = torch.nn.functional.max_pool2d(centre, 3, 1, 1)
        centre = centre * (centre >= peak).to(centre.dtype)
        return torch.cat([centre, y[:, 1:13], torch.sigmoid(y[:, 13:])], 1)


def label_row(face: FaceLabel) -> list[float]:
    """One face as 14 numbers: box, points, roll, frontal, glasses, covered."""
    return [*face.box, *face.points.ravel(), face.roll, float(face.frontal), float(face.glasses), float(face.covered)]


def render_part(task: tuple[int, int, Path]) -> None:
    """Render ``count`` scenes of ``seed`` into one npz file."""
    seed, count, path = task
    if path.exists():
        return
    cv2.setNumThreads(1)
    renderer, random = SceneRenderer(seed), np.random.default_rng(seed + 1_000_000)
    pictures, rows, owners = [], [], []
    for number in range(count):
        scene = renderer.render()
        pictures.append(np.uint8(np.clip(sensor(scene.celsius, random), 0, 1) * 255))
        rows += [label_row(face) for face in scene.faces]
        owners += [number] * len(scene.faces)
    np.savez(
        path,
        pictures=np.stack(pictures),
        rows=np.array(rows, np.float32).reshape(-1, LABEL_FIELDS),
        owners=np.array(owners, int),
    )


def load(paths: list[Path]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All pictures, and for each the label rows of its faces."""
    pictures, labels = [], []
    for path in paths:
        with np.load(path) as part:
            pictures.append(part["pictures"])
            rows, owners = part["rows"], part["owners"]
            labels += [rows[owners == number] for number in range(len(part["pictures"]))]
    return np.concatenate(pictures), labels


def augment(picture: np.ndarray, rows: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mirror, shift, scale, invert and re-tone one picture; labels follow."""
    height, width = picture.shape
    rows = rows.copy()
    scale = float(np.exp(random.uniform(-0.3, 0.3)))
    mirror = random.random() < 0.5
    sx = -scale if mirror else scale
    shift = (
        np.array([(width - 1 if mirror else 0) * scale, 0])
        + random.uniform(-10, 10, 2)
        + (1 - scale) * np.array([width, height]) / 2
    )
    matrix = np.array([[sx, 0, shift[0]], [0, scale, shift[1]]])
    picture = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if len(rows):
        first, last = rows[:, :2] * [sx, scale] + shift, (rows[:, :2] + rows[:, 2:4]) * [sx, scale] + shift
        low, high = np.minimum(first, last), np.maximum(first, last)
        points = rows[:, 4:10].reshape(-1, 3, 2) * [sx, scale] + shift
        if mirror:
            points = points[:, [1, 0, 2]]
            rows[:, 10] = -rows[:, 10]
        clipped_low, clipped_high = np.maximum(low, 0), np.minimum(high, [width, height])
        keep = np.prod(np.maximum(clipped_high - clipped_low, 0), 1) > 0.45 * np.prod(high - low, 1)
        rows[:, :2], rows[:, 2:4], rows[:, 4:10] = clipped_low, clipped_high - clipped_low, points.reshape(-1, 6)
        rows = rows[keep]
    grey = picture.astype(np.float32) / 255.0
    grey = np.clip(grey, 0, 1) ** math.exp(random.normal(0, 0.2)) * random.uniform(0.75, 1.0) + random.uniform(0, 0.2)
    if random.random() < 0.1:
        grey = 1 - grey
    return np.clip(grey, 0, 1), rows


def targets(rows: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Target maps (16, h, w) and the weight of each cell's regression (h, w)."""
    height, width = shape
    maps, weight = np.zeros((CHANNELS, height, width), np.float32), np.zeros((height, width), np.float32)
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    for x, y, w, h, *rest in rows:
        cx, cy, cw, ch = (x + w / 2) / STRIDE - 0.5, (y + h / 2) / STRIDE - 0.5, w / STRIDE, h / STRIDE
        near = (round(cx) == xs) & (round(cy) == ys)
        heat = np.exp(-0.5 * (((xs - cx) / max(cw / 6, 0.45)) ** 2 + ((ys - cy) / max(ch / 6, 0.45)) ** 2))
        heat = np.where(near, 1.0, heat)
        maps[0] = np.maximum(maps[0], heat)
        mine = (heat > 0.4) & (heat > weight)
        weight[mine] = heat[mine]
        size = math.sqrt(cw * ch)
        points = np.array(rest[:6]).reshape(3, 2) / STRIDE - 0.5
        values = [cx - xs, cy - ys, math.log(max(cw, 0.3)), math.log(max(ch, 0.3))]
        values += [(points[k, a] - (xs, ys)[a]) / size for k in range(3) for a in range(2)]
        values += [math.cos(rest[6]), math.sin(rest[6]), *rest[7:10]]
        for channel, value in enumerate(values, 1):
            maps[channel][mine] = value[mine] if isinstance(value, np.ndarray) else value
    return maps, weight


def loss(output: torch.Tensor, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Penalty-reduced focal loss of the centres, L1 of the geometry, cross entropy of the attributes."""
    heat, probability = maps[:, 0], torch.sigmoid(output[:, 0]).clamp(1e-4, 1 - 1e-4)
    positive = (heat >= 0.999).float()
    faces = positive.sum().clamp(min=1)
    hit = -(torch.log(probability) * (1 - probability) ** 2 * positive).sum()
    miss = -(torch.log(1 - probability) * probability**2 * (1 - heat) ** 4 * (1 - positive)).sum()
    total = weight.sum().clamp(min=1)
    geometry = (torch.abs(output[:, 1:13] - maps[:, 1:13]) * weight[:, None]).sum((0, 2, 3)) / total
    scale = output.new_tensor([1.0, 1.0, 2.0, 2.0, 1, 1, 1, 1, 1, 1, 0.5, 0.5])
    attributes = nn.functional.binary_cross_entropy_with_logits(output[:, 13:], maps[:, 13:], reduction="none")
    return (hit + miss) / faces + (geometry * scale).sum() * 0.5 + (attributes * weight[:, None]).sum() / total * 0.3


def batches(pictures: np.ndarray, labels: list[np.ndarray], size: int, seed: int):
    """Endless augmented batches."""
    random = np.random.default_rng(seed)
    height, width = (math.ceil(side / 32) * 32 for side in pictures.shape[1:])
    while True:
        grey, maps, weights = [], [], []
        for index in random.integers(0, len(pictures), size):
            picture, rows = augment(pictures[index], labels[index], random)
            padded = np.zeros((height, width), np.float32)
            padded[: picture.shape[0], : picture.shape[1]] = picture
            target, weight = targets(rows, (height // STRIDE, width // STRIDE))
            grey.append(padded), maps.append(target), weights.append(weight)
        yield (
            torch.from_numpy(np.stack(grey))[:, None],
            torch.from_numpy(np.stack(maps)),
            torch.from_numpy(np.stack(weights)),
        )


def train(
    pictures: np.ndarray, labels: list[np.ndarray], minutes: float, batch: int, seed: int, start_from: Path | None
) -> FaceNetwork:
    """Train for a time, the learning rate following one cosine cycle; returns the running average of the weights."""
    torch.manual_seed(seed)
    network = FaceNetwork()
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, weights_only=True))
    network = network.to(memory_format=torch.channels_last)
    highest_rate = 3e-3 if start_from is None else 1.5e-3
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    start, step, running = time.monotonic(), 0, 0.0
    source = batches(pictures, labels, batch, seed)
    while (done := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        rate = highest_rate * min(1.0, step / 100 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-5
        optimiser.param_groups[0]["lr"] = rate
        grey, maps, weight = next(source)
        value = loss(network(grey.to(memory_format=torch.channels_last)), maps, weight)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        running = 0.98 * running + 0.02 * value.item() if step else value.item()
        step += 1
        if step % 100 == 0:
            pace_ms = (time.monotonic() - start) / step * 1e3
            print(
                f"{done:6.1%}  step {step}  loss {running:.3f}  {pace_ms:.0f} ms a step",
                flush=True,
            )
    return average.module.eval()


def export(network: FaceNetwork, path: Path) -> None:
    """Write the ONNX file, picture size free in multiples of 32."""
    exported = ExportedNetwork(network.to(memory_format=torch.contiguous_format)).eval()
    names = {2: "height", 3: "width"}
    torch.onnx.export(
        exported, (torch.zeros(1, 1, 128, 160),), str(path), input_names=["picture"], output_names=["faces"],
        dynamic_axes={"picture": names, "faces": {2: "rows", 3: "columns"}}, opset_version=17, dynamo=False,
    )  # fmt: skip


def write_test_set(folder: Path, count: int, seed: int) -> None:
    """Write rendered pictures and YOLO boxes, as `./robot bench faces` reads them; seeds apart from training's."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    renderer, random = SceneRenderer(seed + 50_000_000), np.random.default_rng(seed + 60_000_000)
    for number in range(count):
        scene = renderer.render()
        picture = np.uint8(np.clip(sensor(scene.celsius, random), 0, 1) * 255)
        height, width = picture.shape
        cv2.imwrite(str(folder / "images" / f"{number:05}.png"), picture)
        lines = [
            f"0 {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} {w / width:.6f} {h / height:.6f}"
            for x, y, w, h in (face.box for face in scene.faces)
        ]
        (folder / "labels" / f"{number:05}.txt").write_text("\n".join(lines))


def main() -> None:
    """Render, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/thermal_face"), help="folder for the rendered scenes")
    parser.add_argument("--scenes", type=int, default=16000, help="training scenes (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=25.0, help="training time (default %(default)s)")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2, help="rendering processes")
    parser.add_argument("--threads", type=int, default=1, help="training threads")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start-from", type=Path, metavar="weights.pt", help="weights of an earlier run to go on from")
    parser.add_argument("--test-set", type=Path, metavar="DIR", help="only write 1000 test scenes to DIR")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "thermal_face.onnx")
    arguments = parser.parse_args()
    if arguments.test_set is not None:
        write_test_set(arguments.test_set, 1000, arguments.seed)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    part = 500
    tasks = [
        (arguments.seed * 10_000 + n, part, arguments.work / f"scenes_{n:03}.npz")
        for n in range(arguments.scenes // part)
    ]
    with multiprocessing.Pool(arguments.workers) as pool:
        for number, _ in enumerate(pool.imap_unordered(render_part, tasks), 1):
            print(f"rendered {number * part} of {arguments.scenes} scenes", flush=True)
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    pictures, labels = load([path for _, _, path in tasks])
    network = train(pictures, labels, arguments.minutes, arguments.batch, arguments.seed, arguments.start_from)
    torch.save(network.state_dict(), arguments.work / "weights.pt")
    export(network, arguments.output)
    size = arguments.output.stat().st_size
    print(
        json.dumps({"scenes": len(pictures), "bytes": size, "parameters": sum(p.numel() for p in network.parameters())})
    )


if __name__ == "__main__":
    main()
