"""Render labelled thermal scenes with people, for training the thermal face model.

Heads are ellipsoids with a temperature texture (forehead, eye sockets with the warm inner canthi, cool nose, cheeks,
mouth, hair, beard, glasses, masks, hats), seen under any pose on clothed bodies before rooms with lamps, windows,
radiators, screens and a heated reference. The sensor adds blur, column noise, drift and its own grey scale. Nothing
real enters: no recording, no photograph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from thermal_face_heads import Head, HeadRenderer

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class FaceLabel:
    """One visible face in a scene [px].

    Attributes:
        box: Left, upper, width, height of forehead to chin and temple to temple.
        points: Right and left inner canthus and mouth, shape (3, 2), x and y.
        roll: Angle from the picture's up to the head's up, counter-clockwise [rad].
        frontal: Turned away by less than 35° in yaw and 25° in pitch.
        glasses: Wears glasses.
        covered: Mouth and nose are behind a mask.
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    roll: float
    frontal: bool
    glasses: bool
    covered: bool


@dataclass
class Scene:
    """A rendered picture in °C and its faces."""

    celsius: Picture
    faces: list[FaceLabel] = field(default_factory=list)


@dataclass(frozen=True)
class _Figure:
    """A person on a canvas of its own, upright.

    Attributes:
        celsius: Temperatures [°C].
        coverage: 1 where the person is.
        head: The head.
        anchor: Middle of the head on the canvas, x and y [px].
        patch: Left upper corner of the head's patch on the canvas, x and y [px].
    """

    celsius: Picture
    coverage: Picture
    head: Head
    anchor: NDArray[np.float64]
    patch: NDArray[np.float64]


class SceneRenderer:
    """Makes scenes from one random generator; the same seed makes the same scenes."""

    def __init__(self, seed: int, width: int = 160, height: int = 120) -> None:
        self._random = np.random.default_rng(seed)
        self._heads = HeadRenderer(self._random)
        self._width, self._height = width, height

    def render(self) -> Scene:
        """Render one scene, upright or turned by a multiple of 90°."""
        random = self._random
        turns = int(random.choice(4, p=[0.55, 0.2, 0.05, 0.2]))
        shape = (self._height, self._width) if turns % 2 == 0 else (self._width, self._height)
        ambient = random.uniform(5, 32)
        scene = Scene(self._background(shape, ambient))
        people = int(random.choice(6, p=[0.12, 0.46, 0.2, 0.12, 0.06, 0.04]))
        sizes = np.sort(self._face_sizes(people))
        for size in sizes:
            self._add_person(scene, float(size), ambient)
        self._add_occluders(scene, ambient)
        return self._turned(scene, turns)

    # -- surroundings ------------------------------------------------------------------------------------------

    def _background(self, shape: tuple[int, int], ambient: float) -> Picture:
        random = self._random
        height, width = shape
        coarse = random.normal(0, random.uniform(0.1, 1.2), (random.integers(2, 6), random.integers(2, 6)))
        picture = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) + np.float32(
            ambient
        )
        for _ in range(random.integers(0, 7)):
            self._add_object(picture, ambient)
        if random.random() < 0.35:
            self._add_reference(picture)
        return picture

    def _add_object(self, picture: Picture, ambient: float) -> None:
        """A thing of the room: wall panel, window, lamp, radiator, screen, cup, plant of strokes."""
        random = self._random
        height, width = picture.shape
        kind = random.choice(["panel", "panel", "window", "tube", "screen", "cup", "stripes", "speck", "hand"])
        centre = (float(random.uniform(0, width)), float(random.uniform(0, height)))
        warmth = {
            "panel": random.normal(0, 1.5), "window": random.uniform(-8, 4), "tube": random.exponential(5),
            "screen": random.uniform(1, 10), "cup": random.exponential(8), "stripes": random.exponential(4),
            "speck": random.exponential(4), "hand": random.uniform(3, 14),
        }[kind]  # fmt: skip
        temperature = float(ambient + warmth)
        if kind in ("panel", "window", "screen"):
            box = (
                centre,
                (float(random.uniform(5, width * 0.6)), float(random.uniform(5, height * 0.6))),
                float(random.choice([0, 0, 90, random.uniform(0, 180)])),
            )
            cv2.fillPoly(picture, [np.intp(cv2.boxPoints(box))], temperature)
        elif kind == "tube":
            angle = random.uniform(0, math.pi)
            length = random.uniform(5, 60)
            end = (int(centre[0] + length * math.cos(angle)), int(centre[1] + length * math.sin(angle)))
            cv2.line(picture, (int(centre[0]), int(centre[1])), end, temperature, int(random.integers(1, 7)))
        elif kind == "speck":
            cv2.circle(picture, (int(centre[0]), int(centre[1])), int(random.integers(1, 4)), temperature, -1)
        elif kind == "hand":  # bare skin that is no face: an arm, a hand with fingers
            axes = (int(random.integers(3, 12)), int(random.integers(4, 20)))
            angle = float(random.uniform(0, 180))
            cv2.ellipse(picture, (int(centre[0]), int(centre[1])), axes, angle, 0, 360, temperature, -1)
            for finger in range(int(random.integers(0, 5))):
                tip = math.radians(angle + 90 + 14 * (finger - 2))
                reach = axes[1] * random.uniform(1.2, 1.7)
                end = (int(centre[0] + reach * math.cos(tip)), int(centre[1] + reach * math.sin(tip)))
                cv2.line(picture, (int(centre[0]), int(centre[1])), end, temperature - 0.8, max(axes[0] // 3, 1))
        elif kind == "cup":
            axes = (int(random.integers(1, 14)), int(random.integers(1, 14)))
            cv2.ellipse(
                picture, (int(centre[0]), int(centre[1])), axes, float(random.uniform(0, 180)), 0, 360, temperature, -1
            )
        else:
            step = int(random.integers(3, 9))
            for number in range(int(random.integers(2, 8))):
                x = int(centre[0]) + number * step
                cv2.line(
                    picture,
                    (x, int(centre[1])),
                    (x, int(centre[1] + random.integers(8, 40))),
                    temperature,
                    int(random.integers(1, max(step - 1, 2))),
                )

    def _add_reference(self, picture: Picture) -> None:
        """A heated disc on its box."""
        random = self._random
        height, width = picture.shape
        x, y = int(random.uniform(0, width)), int(random.uniform(0, height))
        radius = int(random.integers(3, 10))
        box = picture[max(y - 3 * radius, 0) : y + 3 * radius, max(x - 2 * radius, 0) : x + 4 * radius]
        box += np.float32(random.uniform(0, 2))
        cv2.circle(picture, (x, y), radius, float(random.uniform(33, 40)), -1)

    def _add_occluders(self, scene: Scene, ambient: float) -> None:
        """Things in front of people: posts, hands, screens' edges."""
        random = self._random
        if random.random() < 0.12:
            height, width = scene.celsius.shape
            x = int(random.uniform(0, width))
            thickness = int(random.integers(1, 8))
            cv2.line(
                scene.celsius,
                (x, 0),
                (x + int(random.integers(-20, 20)), height),
                float(ambient + random.normal(0, 2)),
                thickness,
            )

    # -- people ------------------------------------------------------------------------------------------------

    def _face_sizes(self, people: int) -> NDArray[np.float64]:
        """Face heights [px]: alone and near, or several and far."""
        random = self._random
        if people == 0:
            return np.zeros(0)
        largest = 80.0 if people == 1 else 60.0 if people == 2 else 34.0
        return np.exp(random.uniform(math.log(6.0), math.log(largest), people))

    def _add_person(self, scene: Scene, face_height: float, ambient: float) -> None:
        random = self._random
        head_pixels = 72 if face_height > 22 else 36
        figure = self._person(head_pixels, ambient, far=face_height < 26)
        celsius, coverage, anchor = figure.celsius, figure.coverage, figure.anchor
        # The face is about 0.8 of the head's height.
        scale = face_height / (0.8 * head_pixels)
        roll = float(np.clip(random.normal(0, math.radians(10)), -0.6, 0.6))
        height, width = scene.celsius.shape
        target = np.array([random.uniform(0.04, 0.96) * width, random.uniform(0.06, 0.85) * height])
        if random.random() < 0.06:  # only the body is in the picture
            target[1] = -0.6 * face_height
        cosine, sine = scale * math.cos(roll), scale * math.sin(roll)
        linear = np.array([[cosine, sine], [-sine, cosine]])
        matrix = np.hstack([linear, (target - linear @ anchor)[:, None]])
        if scale < 1.0:
            sigma = 0.4 / scale
            celsius = cv2.GaussianBlur(celsius * coverage, (0, 0), sigma)
            coverage = cv2.GaussianBlur(coverage, (0, 0), sigma)
            celsius = celsius / np.maximum(coverage, 1e-3)
        warped_coverage = cv2.warpAffine(coverage, matrix, (width, height), flags=cv2.INTER_LINEAR)
        warped = cv2.warpAffine(
            celsius, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        scene.faces = [face for face in scene.faces if not self._hidden(face, warped_coverage)]
        scene.celsius = scene.celsius * (1 - warped_coverage) + warped * warped_coverage
        if figure.head.visible:
            self._label(scene, figure, matrix, roll)

    def _hidden(self, face: FaceLabel, cover: Picture) -> bool:
        x, y, w, h = (round(value) for value in face.box)
        part = cover[max(y, 0) : y + max(h, 1), max(x, 0) : x + max(w, 1)]
        return part.size == 0 or float(part.mean()) > 0.55

    def _label(self, scene: Scene, figure: _Figure, matrix: NDArray[np.float64], roll: float) -> None:
        head, offset = figure.head, figure.patch
        height, width = scene.celsius.shape
        left, upper, box_width, box_height = head.face_box
        corners = (
            np.array(
                [
                    [left, upper],
                    [left + box_width, upper],
                    [left, upper + box_height],
                    [left + box_width, upper + box_height],
                ]
            )
            + offset
        )
        middle = corners.mean(0)
        # The corners of a turned box lie outside the face: take the turned ellipse's extent instead.
        linear = matrix[:, :2]
        centre = linear @ middle + matrix[:, 2]
        half = np.sqrt((linear[:, 0] * box_width / 2) ** 2 + (linear[:, 1] * box_height / 2) ** 2)
        low = np.maximum(centre - half, 0)
        high = np.minimum(centre + half, [width, height])
        full = 4 * half[0] * half[1]
        if (high <= low).any() or np.prod(high - low) < 0.45 * full:
            return
        points = (head.points + offset) @ linear.T + matrix[:, 2]
        scene.faces.append(
            FaceLabel(
                box=(low[0], low[1], high[0] - low[0], high[1] - low[1]),
                points=points,
                roll=roll,
                frontal=head.frontal,
                glasses=head.glasses,
                covered=head.covered,
            )
        )

    def _person(self, head_pixels: int, ambient: float, far: bool) -> _Figure:
        """Head on neck, shoulders and clothes, upright, on a canvas of its own."""
        random = self._random
        unit = head_pixels / 2.0
        bodies = 6.5 if far else 2.6
        width, height = int(unit * 7), int(unit * (2.2 + bodies * 2))
        celsius = np.full((height, width), ambient, np.float32)
        coverage = np.zeros((height, width), np.float32)
        head_x, head_y = width / 2.0, unit * 1.3
        skin = max(random.uniform(31.0, 36.5), ambient + 2.0)
        cloth = ambient + (skin - ambient) * random.uniform(0.1, 0.75)
        self._body(celsius, coverage, (head_x, head_y), unit, float(skin), float(cloth))
        head = self._heads.render(head_pixels, float(skin), ambient)
        size = head.celsius.shape[0]
        left, upper = int(head_x - size / 2), int(head_y - size / 2)
        region = (slice(max(upper, 0), upper + size), slice(left, left + size))
        part = slice(max(-upper, 0), None)
        alpha = head.coverage[part]
        celsius[region] = celsius[region] * (1 - alpha) + head.celsius[part] * alpha
        coverage[region] = np.maximum(coverage[region], alpha)
        return _Figure(celsius, coverage, head, np.array([head_x, head_y]), np.array([left, upper], float))

    def _body(
        self, celsius: Picture, coverage: Picture, head: tuple[float, float], unit: float, skin: float, cloth: float
    ) -> None:
        random = self._random
        x, y = head
        height, width = celsius.shape
        neck = np.array(
            [
                [x - 0.42 * unit, y],
                [x + 0.42 * unit, y],
                [x + 0.5 * unit, y + 1.6 * unit],
                [x - 0.5 * unit, y + 1.6 * unit],
            ]
        )
        shoulder = random.uniform(1.5, 2.1) * unit
        top = y + random.uniform(1.15, 1.5) * unit
        hips = top + 4.6 * unit
        torso = np.array([
            [x - 0.5 * unit, top], [x + 0.5 * unit, top], [x + 0.85 * shoulder, top + 0.35 * unit],
            [x + shoulder, top + 0.9 * unit], [x + 0.9 * shoulder, hips], [x - 0.9 * shoulder, hips],
            [x - shoulder, top + 0.9 * unit], [x - 0.85 * shoulder, top + 0.35 * unit],
        ])  # fmt: skip
        legs = np.array(
            [
                [x - 0.85 * shoulder, hips - 1],
                [x + 0.85 * shoulder, hips - 1],
                [x + 0.6 * shoulder, height],
                [x - 0.6 * shoulder, height],
            ]
        )
        folds = cv2.resize(
            random.normal(0, 0.8, (9, 7)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [np.intp(torso), np.intp(legs)], 1)
        celsius[mask > 0] = (cloth + folds * (abs(skin - cloth) * 0.2 + 0.2))[mask > 0]
        coverage[mask > 0] = 1
        mask[:] = 0
        cv2.fillPoly(mask, [np.intp(neck)], 1)
        if random.random() < 0.5:  # open collar
            depth = random.uniform(0.2, 1.4) * unit
            cv2.fillPoly(mask, [np.intp([[x - 0.5 * unit, top], [x + 0.5 * unit, top], [x, top + depth]])], 1)
        scarf = random.random() < 0.12
        celsius[mask > 0] = cloth if scarf else skin + random.uniform(-0.5, 0.8)
        coverage[mask > 0] = 1
        self._add_patterns(celsius, coverage, (x, top, shoulder, hips), skin, cloth)
        if random.random() < 0.35:  # a hand or forearm
            hand = (int(x + random.uniform(-2, 2) * unit), int(y + random.uniform(1.5, 5) * unit))
            cv2.ellipse(
                celsius,
                hand,
                (int(0.3 * unit), int(random.uniform(0.4, 1.6) * unit)),
                float(random.uniform(-90, 90)),
                0,
                360,
                skin - 1.5,
                -1,
            )

    def _add_patterns(
        self, celsius: Picture, coverage: Picture, torso: tuple[float, float, float, float], skin: float, cloth: float
    ) -> None:
        """What clothes show: pockets, prints, straps, things carried before the body, warm and cold."""
        random = self._random
        x, top, shoulder, hips = torso
        for _ in range(int(random.integers(0, 5))):
            centre = (float(x + random.uniform(-1, 1) * shoulder), float(random.uniform(top, hips)))
            size = (float(random.uniform(0.1, 1.2) * shoulder), float(random.uniform(0.1, 1.0) * shoulder))
            box = np.intp(cv2.boxPoints((centre, size, float(random.uniform(0, 180)))))
            value = float(cloth + random.normal(0, 0.35) * (abs(skin - cloth) + 1.0))
            if random.random() < 0.5:
                cv2.fillPoly(celsius, [box], value)
            else:
                cv2.ellipse(celsius, (centre, size, float(random.uniform(0, 180))), value, -1)
        celsius[coverage == 0] = cloth

    def _turned(self, scene: Scene, turns: int) -> Scene:
        """Turn a scene counter-clockwise by quarter turns, labels included."""
        faces = scene.faces
        height, width = scene.celsius.shape
        for _ in range(turns):
            faces = [_turn_label(face, width) for face in faces]
            height, width = width, height
        return Scene(np.ascontiguousarray(np.rot90(scene.celsius, turns)), faces)


def _turn_label(face: FaceLabel, width: int) -> FaceLabel:
    """Turn a label by 90° counter-clockwise in a picture of ``width``."""
    x, y, w, h = face.box
    points = np.stack([face.points[:, 1], width - face.points[:, 0]], -1)
    return FaceLabel(
        (y, width - x - w, h, w), points, face.roll + math.pi / 2, face.frontal, face.glasses, face.covered
    )
