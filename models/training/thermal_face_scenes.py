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

Picture = NDArray[np.float32]

# Semi-axes of a head relative to half its height: width, height, depth (ISO/TR 7250-2, means of adults).
HEAD_AXES = np.array([0.70, 1.0, 0.84])


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
class _Head:
    """A rendered head before it is put on a body: temperature, coverage, and where its parts are [px of the patch]."""

    celsius: Picture
    coverage: Picture
    face_box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    visible: bool


def _smooth(edge: float, width: float, value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Soft step: 0 below ``edge``, 1 above, over ``width``."""
    return 1.0 / (1.0 + np.exp(-np.clip((value - edge) / width, -30, 30)))


def _spot(
    u: NDArray[np.float64], v: NDArray[np.float64], at: tuple[float, float], size: tuple[float, float]
) -> NDArray[np.float64]:
    """Gaussian spot on the face's surface coordinates."""
    return np.exp(-(((u - at[0]) / size[0]) ** 2 + ((v - at[1]) / size[1]) ** 2))


class SceneRenderer:
    """Makes scenes from one random generator; the same seed makes the same scenes."""

    def __init__(self, seed: int, width: int = 160, height: int = 120) -> None:
        self._random = np.random.default_rng(seed)
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
            "screen": random.uniform(1, 10), "cup": random.exponential(8), "stripes": random.exponential(4), "speck": random.exponential(4), "hand": random.uniform(3, 14),
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
        canvas = self._person(head_pixels, ambient, far=face_height < 26)
        celsius, coverage, head, facts = canvas
        # The face is about 0.8 of the head's height.
        scale = face_height / (0.8 * head_pixels)
        roll = float(np.clip(random.normal(0, math.radians(10)), -0.6, 0.6))
        height, width = scene.celsius.shape
        anchor = np.array([facts["head_x"], facts["head_y"]])
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
        if head.visible:
            self._label(scene, head, facts, matrix, roll)

    def _hidden(self, face: FaceLabel, cover: Picture) -> bool:
        x, y, w, h = (int(round(value)) for value in face.box)
        part = cover[max(y, 0) : y + max(h, 1), max(x, 0) : x + max(w, 1)]
        return part.size == 0 or float(part.mean()) > 0.55

    def _label(
        self, scene: Scene, head: _Head, facts: dict[str, float], matrix: NDArray[np.float64], roll: float
    ) -> None:
        height, width = scene.celsius.shape
        left, upper, box_width, box_height = head.face_box
        offset = np.array([facts["patch_x"], facts["patch_y"]])
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
                frontal=bool(facts["frontal"]),
                glasses=bool(facts["glasses"]),
                covered=bool(facts["covered"]),
            )  # fmt: skip
        )

    def _person(self, head_pixels: int, ambient: float, far: bool) -> tuple[Picture, Picture, _Head, dict[str, float]]:
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
        head, facts = self._head(head_pixels, float(skin), ambient)
        size = head.celsius.shape[0]
        left, upper = int(head_x - size / 2), int(head_y - size / 2)
        region = (slice(max(upper, 0), upper + size), slice(left, left + size))
        part = slice(max(-upper, 0), None)
        alpha = head.coverage[part]
        celsius[region] = celsius[region] * (1 - alpha) + head.celsius[part] * alpha
        coverage[region] = np.maximum(coverage[region], alpha)
        facts.update(head_x=head_x, head_y=head_y, patch_x=float(left), patch_y=float(upper))
        return celsius, coverage, head, facts

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
            [x - 0.5 * unit, top], [x + 0.5 * unit, top], [x + 0.85 * shoulder, top + 0.35 * unit], [x + shoulder, top + 0.9 * unit],
            [x + 0.9 * shoulder, hips], [x - 0.9 * shoulder, hips], [x - shoulder, top + 0.9 * unit], [x - 0.85 * shoulder, top + 0.35 * unit],
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

    def _head(self, pixels: int, skin: float, ambient: float) -> tuple[_Head, dict[str, float]]:
        """Ray-trace an ellipsoid head (orthographic) with a temperature texture; the patch is 1.5 heads wide."""
        random = self._random
        away = random.random()
        if away < 0.5:
            yaw = float(random.normal(0, 18))
        elif away < 0.76:
            yaw = float(random.uniform(-95, 95))
        else:  # the back of a head: warm, round, and no face
            yaw = float(random.uniform(115, 245))
        pitch = float(np.clip(random.normal(0, 13), -40, 40))
        rotation = _rotation(math.radians(yaw), math.radians(pitch))
        axes = HEAD_AXES * np.array([random.uniform(0.9, 1.1), 1.0, random.uniform(0.9, 1.1)])
        size = int(pixels * 1.5)
        grid = (np.arange(size) + 0.5 - size / 2) / (pixels / 2)
        x, y = np.meshgrid(grid, -grid)
        origin = np.stack([x, y, np.zeros_like(x)], -1) @ rotation
        ray = np.array([0, 0, 1.0]) @ rotation
        a = ((ray / axes) ** 2).sum()
        b = (origin * ray / axes**2).sum(-1)
        c = ((origin / axes) ** 2).sum(-1) - 1.0
        discriminant = b * b - a * c
        hit = discriminant > 0
        depth = (-b + np.sqrt(np.maximum(discriminant, 0))) / a
        surface = (origin + depth[..., None] * ray) / axes
        # The jaw is narrower than the temples.
        jaw = 1.0 - 0.28 * _smooth(0.25, 0.15, -surface[..., 1])
        hit &= (np.abs(x - (rotation @ np.array([0, 0, 0.0]))[0]) < 1.2 * jaw * axes[0] + 0.5 * (1 - jaw)) | (
            surface[..., 1] > -0.2
        )
        u = np.degrees(np.arctan2(surface[..., 0], surface[..., 2]))
        v = np.degrees(np.arcsin(np.clip(surface[..., 1], -1, 1)))
        facts = {"frontal": float(abs(yaw) < 35 and abs(pitch) < 25), "glasses": 0.0, "covered": 0.0}
        celsius = self._texture(u, v, surface, skin, ambient, facts)
        # Grazing angles emit less (Lambert's law breaks down beyond 60°).
        grazing = np.clip(1 - np.sqrt(np.maximum(discriminant, 0)) * 1.4, 0, 1)
        celsius -= grazing * (skin - ambient) * random.uniform(0.0, 0.18)
        coverage = cv2.GaussianBlur(hit.astype(np.float32), (0, 0), 0.8)
        points3 = np.array([_on_head(-11, 12, axes), _on_head(11, 12, axes), _on_head(0, -34, axes)])
        points = (points3 @ rotation.T)[:, :2] * [1, -1] * (pixels / 2) + size / 2
        face_box, visible = _face_extent(rotation, axes, pixels, size)
        return _Head(
            celsius.astype(np.float32), coverage, face_box, points, visible and abs((yaw + 180) % 360 - 180) < 95
        ), facts

    def _texture(
        self,
        u: NDArray[np.float64],
        v: NDArray[np.float64],
        surface: NDArray[np.float64],
        skin: float,
        ambient: float,
        facts: dict[str, float],
    ) -> NDArray[np.float64]:
        random = self._random
        contrast = float(np.clip((skin - ambient) / 12, 0.25, 1.6) * random.uniform(0.7, 1.7))
        t = np.full(u.shape, skin)
        t += contrast * random.uniform(0.0, 0.8) * _spot(u, v, (0, 38), (45, 22))
        for side in (-1, 1):
            t += contrast * random.uniform(0.5, 1.6) * _spot(u, v, (side * 11, 12), (7, 7))
            t += contrast * random.uniform(0.0, 0.8) * _spot(u, v, (side * 21, 11), (12, 7))
            t -= contrast * random.uniform(0.0, 0.6) * _spot(u, v, (side * 21, 11), (6, 4))
            t -= contrast * random.uniform(0.0, 1.2) * _spot(u, v, (side * 22, 23), (13, 4))
            t -= contrast * random.uniform(0.2, 1.8) * _spot(u, v, (side * 33, -12), (17, 16))
            t += contrast * random.uniform(-0.5, 1.0) * _spot(u, v, (side * 82, 0), (9, 16))
        t -= contrast * random.uniform(0.2, 4.5) * _spot(u, v, (0, -8), (10, 12))
        mouth = random.uniform(-0.8, 1.4)
        t += contrast * mouth * _spot(u, v, (0, -34), (15, 5 if random.random() < 0.8 else 10))
        t += cv2.resize(random.normal(0, 0.25, (8, 8)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_CUBIC)
        self._beard(t, u, v, skin, ambient)
        self._hair(t, u, v, surface, skin, ambient)
        if random.random() < 0.25:
            facts["glasses"] = 1.0
            self._glasses(t, u, v, skin, ambient)
        if random.random() < 0.2:
            facts["covered"] = 1.0
            mask = _smooth(random.uniform(-2, 4), 2, -v) * _smooth(-62, 5, -np.abs(u))
            fabric = ambient + (skin - ambient) * random.uniform(0.3, 0.95)
            t += mask * (fabric - t + random.normal(0, 0.5) * _spot(u, v, (0, -20), (20, 12)))
        if random.random() < 0.12:
            hat = _smooth(random.uniform(28, 48), 3, v + 0.0 * u)
            t += hat * (ambient + (skin - ambient) * random.uniform(0.0, 0.6) - t)
        return t

    def _beard(
        self, t: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64], skin: float, ambient: float
    ) -> None:
        random = self._random
        if random.random() < 0.18:
            beard = _smooth(24, 4, -v) * _smooth(-75, 8, -np.abs(u)) * (1 - 0.8 * _spot(u, v, (0, -34), (14, 6)))
            t -= beard * (skin - ambient) * random.uniform(0.1, 0.5)

    def _hair(
        self,
        t: NDArray[np.float64],
        u: NDArray[np.float64],
        v: NDArray[np.float64],
        surface: NDArray[np.float64],
        skin: float,
        ambient: float,
    ) -> None:
        random = self._random
        kind = random.choice(["bald", "short", "medium", "long"], p=[0.12, 0.4, 0.25, 0.23])
        line = {
            "bald": 95.0,
            "short": random.uniform(45, 62),
            "medium": random.uniform(38, 55),
            "long": random.uniform(35, 55),
        }[kind]
        sides = {"bald": 150.0, "short": 95.0, "medium": 80.0, "long": 66.0}[kind]
        bottom = {"bald": 0.0, "short": -5.0, "medium": -25.0, "long": -89.0}[kind]
        ragged = cv2.resize(
            random.normal(0, random.uniform(2, 6), (6, 24)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_CUBIC
        )
        hair = np.maximum(
            _smooth(line, 3, v + ragged),
            _smooth(sides, 4, np.abs(u) + ragged) * _smooth(bottom, 4, v),
        )
        cool = {"bald": random.uniform(0.0, 0.2), "short": random.uniform(0.05, 0.6)}.get(
            kind, random.uniform(0.15, 0.75)
        )
        if kind in ("medium", "long") and random.random() < 0.4:  # strands over the forehead
            fringe = _smooth(random.uniform(22, 40), 3, v + 3 * ragged) * _smooth(-60, 8, -np.abs(u))
            hair = np.maximum(hair, fringe * random.uniform(0.3, 1.0))
        strands = 1 + 0.25 * cv2.resize(
            random.normal(0, 1, (12, 24)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_LINEAR
        )
        t -= hair * (skin - ambient) * cool * strands
        if kind == "bald" and random.random() < 0.5:
            t -= _smooth(100, 4, np.abs(u)) * (skin - ambient) * 0.1
        _ = surface

    def _glasses(
        self, t: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64], skin: float, ambient: float
    ) -> None:
        random = self._random
        lens_width, lens_height = random.uniform(12, 17), random.uniform(8, 14)
        glass = ambient + (skin - ambient) * random.uniform(0.0, 0.45)
        for side in (-1, 1):
            inside = _smooth(-1, 0.1, -((np.abs(u - side * 22) / lens_width) ** 3 + (np.abs(v - 9) / lens_height) ** 3))
            t += inside * (glass - t)
        bridge = _smooth(-9, 2, -np.abs(u)) * _smooth(-3, 1, -np.abs(v - 14))
        temple = _smooth(36, 3, np.abs(u)) * _smooth(-3, 1, -np.abs(v - 13)) * _smooth(-95, 3, -np.abs(u))
        t += np.maximum(bridge, temple) * 0.7 * (glass - t)

    def _turned(self, scene: Scene, turns: int) -> Scene:
        """Turn a scene counter-clockwise by quarter turns, labels included."""
        faces = scene.faces
        height, width = scene.celsius.shape
        for _ in range(turns):
            faces = [_turn_label(face, width) for face in faces]
            height, width = width, height
        return Scene(np.ascontiguousarray(np.rot90(scene.celsius, turns)), faces)


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


def _rotation(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Head to camera: yaw about the vertical, then pitch about the camera's horizontal."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return np.asarray(nod @ turn)


def _on_head(u: float, v: float, axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Point of the head's surface at azimuth ``u`` and elevation ``v`` [deg]."""
    azimuth, elevation = math.radians(u), math.radians(v)
    return axes * np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )


def _face_extent(
    rotation: NDArray[np.float64], axes: NDArray[np.float64], pixels: int, size: int
) -> tuple[tuple[float, float, float, float], bool]:
    """Extent of the visible facial surface (forehead to chin, temple to temple) in the patch."""
    u, v = np.meshgrid(np.radians(np.linspace(-75, 75, 21)), np.radians(np.linspace(-78, 46, 21)))
    surface = np.stack([np.sin(u) * np.cos(v), np.sin(v), np.cos(u) * np.cos(v)], -1) * axes
    seen = surface @ rotation.T
    normal = (surface / axes**2) @ rotation.T
    front = normal[..., 2] > 0.02 * np.linalg.norm(normal, axis=-1)
    if front.mean() < 0.2:
        return (0.0, 0.0, 1.0, 1.0), False
    points = seen[front][:, :2] * [1, -1] * (pixels / 2) + size / 2
    low, high = points.min(0), points.max(0)
    return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])), True


def _turn_label(face: FaceLabel, width: int) -> FaceLabel:
    """Turn a label by 90° counter-clockwise in a picture of ``width``."""
    x, y, w, h = face.box
    points = np.stack([face.points[:, 1], width - face.points[:, 0]], -1)
    return FaceLabel(
        (y, width - x - w, h, w), points, face.roll + math.pi / 2, face.frontal, face.glasses, face.covered
    )
