"""What a thermal camera makes of a scene, for training the thermal face model."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def sensor(scene: Picture, random: np.random.Generator) -> Picture:
    """What a camera makes of a scene: blur, noise, column pattern, drift, and its own grey scale; 0..1, float32."""
    picture = scene
    if random.random() < 0.9:
        picture = cv2.GaussianBlur(picture, (0, 0), float(random.uniform(0.3, 1.3)))
    if random.random() < 0.08:  # motion
        length = int(random.integers(3, 6))
        kernel = np.ones((1, length), np.float32) / length
        picture = cv2.filter2D(picture, -1, kernel if random.random() < 0.5 else kernel.T)
    noise = float(np.exp(random.uniform(math.log(0.02), math.log(0.35))))
    picture = picture + random.normal(0, noise, picture.shape) + random.normal(0, noise * 0.7, (1, picture.shape[1]))
    if random.random() < 0.3:
        y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
        picture = picture - random.uniform(-1.5, 1.5) * (x * x + y * y)
    picture = _grey_scale(picture.astype(np.float32), random)
    if random.random() < 0.5:  # 8-bit
        picture = np.round(picture * 255) / 255
    if random.random() < 0.25:
        quality = int(random.integers(35, 95))
        done, data = cv2.imencode(".jpg", np.uint8(np.clip(picture, 0, 1) * 255), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    return picture.astype(np.float32)


def _grey_scale(picture: Picture, random: np.random.Generator) -> Picture:
    low, high = np.percentile(picture, [random.uniform(0, 2), 100 - abs(random.normal(0, 0.7))])
    low -= random.uniform(0, 0.15) * (high - low)
    high += random.uniform(0, 0.35) * (high - low)
    grey = np.clip((picture - low) / max(high - low, 1e-3), 0, 1)
    if random.random() < 0.25:  # plateau equalisation, as Leptons do by default
        order = np.argsort(np.argsort(grey, axis=None)).reshape(grey.shape) / grey.size
        grey = grey + random.uniform(0.2, 0.9) * (order - grey)
    grey = grey ** math.exp(random.normal(0, 0.25))
    if random.random() < 0.12:
        grey = 1 - grey
    return grey.astype(np.float32)
