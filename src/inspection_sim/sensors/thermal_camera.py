"""A radiometric microbolometer camera (FLIR Lepton 3.5: 160×120, 57°, 0.01 K per count) by ray casting.

Rays are spent where they matter: one per 4×4 pixels of the still hall, one per pixel where neighbouring rays meet
different surfaces, one per pixel on passengers, and 3×3 per pixel on near heads, whose canthi are smaller than a pixel.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from inspection_sim.sensors.radiometry import apparent_temperature, radiance, surface_radiance, transmission
from inspection_sim.sensors.shapes import PlacedShapes, intersect, pairs, place, shapes_of, windows
from inspection_sim.world.scene import build_scene
from inspection_sim.world.sdf import World

FAR_M: Final = 60.0
CELL_PX: Final = 4
SUBSAMPLES: Final = 3
HEAD_DEPTH_M: Final = 0.3
"""Parts of one head lie within this depth of each other [m]."""
HEAD_RANGE_M: Final = 4.0
"""Farther heads are no more than six pixels wide: nothing is measured on them, one ray per pixel will do."""
KELVIN_PER_COUNT: Final = 0.01


@dataclass(frozen=True)
class ThermalCameraModel:
    """Constants of a camera; the defaults are a Lepton 3.5.

    Attributes:
        width, height: picture size [px].
        horizontal_view_rad: horizontal field of view [rad].
        rate_hz: frames per second.
        blur_px: standard deviation of the optics' point spread [px].
        netd_k: noise-equivalent temperature difference [K].
        fixed_pattern_k: standard deviation of the residual fixed pattern [K].
        unit_offset_k: standard deviation from unit to unit [K]; the data sheet allows ±5 °C.
        ffc_interval_s: time between flat-field corrections [s].
        ffc_step_k: range of the reading's step over a correction [K] (measured on real recordings, thermal.md).
        ffc_frozen_s: the shutter is closed and the last frame repeated [s].
        ffc_settle_s: time over which the step comes [s].
        reference: heated disc on a boom in the picture: centre in the optical frame and radius [m], temperature [°C];
            None: there is none. The default is `thermal_reference_link` of the robot description.
    """

    width: int = 160
    height: int = 120
    horizontal_view_rad: float = np.deg2rad(57.0)
    rate_hz: float = 9.0
    blur_px: float = 0.85
    netd_k: float = 0.05
    fixed_pattern_k: float = 0.06
    unit_offset_k: float = 0.8
    ffc_interval_s: float = 180.0
    ffc_step_k: tuple[float, float] = (0.9, 1.4)
    ffc_frozen_s: float = 0.5
    ffc_settle_s: float = 2.0
    reference: tuple[float, float, float, float, float] | None = (0.140, -0.100, 0.350, 0.0125, 37.0)

    @property
    def focal_px(self) -> float:
        """Focal length [px]."""
        return self.width / 2 / float(np.tan(self.horizontal_view_rad / 2))


class ThermalCamera:
    """One camera in one world: casts the rays, then puts the detector's errors on the radiance picture."""

    def __init__(self, world: World, model: ThermalCameraModel, generator: np.random.Generator) -> None:
        """Compile the still part of the world, and draw this unit's own errors."""
        self.model = model
        self._generator = generator
        air_k = world.air.temperature_c + 273.15
        self._hall = build_scene(dataclasses.replace(world, models=tuple(m for m in world.models if m.static)))
        self._shapes = shapes_of([m for m in world.models if not m.static])
        self._hall_radiance = np.append(
            _surface(self._hall.temperature_k, self._hall.emissivity, air_k), radiance(air_k)
        )
        self._shape_radiance = _surface(self._shapes.temperature_k, self._shapes.emissivity, air_k)
        self._air_radiance = float(radiance(air_k))
        self._distances = np.linspace(0.0, FAR_M, 241)
        self._transmission = transmission(self._distances, world.air.temperature_c, world.air.relative_humidity)
        v, u = np.indices((model.height, model.width), dtype=np.float64).reshape(2, -1)
        self._slope_x, self._slope_y = (
            (u - (model.width - 1) / 2) / model.focal_px,
            (v - (model.height - 1) / 2) / model.focal_px,
        )
        self._pixel_rays = self._directions(u, v)
        self._along = self._pixel_rays[:, 2]
        self._reference = self._reference_cover()
        self._unit_offset_k = generator.normal(0.0, model.unit_offset_k)
        self._pattern = generator.normal(0.0, model.fixed_pattern_k, (model.height, model.width)).astype(np.float32)
        self._marks = self._hall.data.geom_xpos[~np.isnan(self._hall.temperature_k)].copy()
        self._mark_radius = self._hall.model.geom_rbound[~np.isnan(self._hall.temperature_k)].copy()
        self._ffc_at_s = 0.0
        self._ffc_step_k = float(generator.uniform(*model.ffc_step_k))
        self._last: NDArray[np.uint16] | None = None
        self._hall_key: bytes = b""
        self._hall_picture = np.empty((2, 0))

    def start_flat_field_correction(self, time_s: float) -> None:
        """Close the shutter now, as the camera does by itself from time to time."""
        self._ffc_at_s = time_s
        self._ffc_step_k = float(self._generator.uniform(*self.model.ffc_step_k))

    def correcting(self, time_s: float) -> bool:
        """Tell whether the shutter is closed."""
        return 0.0 <= time_s - self._ffc_at_s < self.model.ffc_frozen_s and self._ffc_at_s > 0.0

    def frame(
        self, time_s: float, position: NDArray[np.float64], rotation: NDArray[np.float64],
        bodies: NDArray[np.float64], yaws: NDArray[np.float64],
    ) -> NDArray[np.uint16]:  # fmt: skip
        """Take a picture.

        Args:
            time_s: simulated time [s].
            position: (3,) of the optical centre in the world [m].
            rotation: (3, 3) from the optical frame (x right, y down, z forward) to the world's.
            bodies: (n, 3) positions of the world's moving models, in their order [m].
            yaws: (n,) their yaw angles [rad].

        Returns:
            (height, width) counts of 0.01 K.
        """
        if time_s - self._ffc_at_s >= self.model.ffc_interval_s:
            self.start_flat_field_correction(time_s)
        if self.correcting(time_s) and self._last is not None:
            return self._last
        picture = self.radiance_picture(position, rotation, bodies, yaws)
        kelvin = apparent_temperature(picture.ravel()).astype(np.float32).reshape(picture.shape)
        kelvin += self._offset_k(time_s) + self._pattern
        kelvin += self._generator.standard_normal(kelvin.shape, dtype=np.float32) * np.float32(self.model.netd_k)
        self._last = np.clip(np.rint(kelvin / KELVIN_PER_COUNT), 0, 65535).astype(np.uint16)
        return self._last

    def radiance_picture(
        self, position: NDArray[np.float64], rotation: NDArray[np.float64],
        bodies: NDArray[np.float64], yaws: NDArray[np.float64],
    ) -> NDArray[np.float32]:  # fmt: skip
        """Return the radiance on the detector after the optics, (height, width) [W m⁻² sr⁻¹]."""
        model = self.model
        key = position.tobytes() + rotation.tobytes()
        if key != self._hall_key:
            self._hall_picture = self._cast_hall(position, rotation)
            self._hall_key = key
        depth, value = self._hall_picture[0].copy(), self._hall_picture[1].copy()
        placed = place(self._shapes, bodies, yaws, position, rotation, FAR_M)
        part, pixel = pairs(windows(placed, model.focal_px, model.width, model.height), model.width)
        self._nearest(placed, part, pixel, self._slope_x[pixel], self._slope_y[pixel], depth, value)
        self._sharpen_heads(placed, depth, value)
        if model.reference is not None:
            value += self._reference * (float(radiance(model.reference[4] + 273.15)) - value)
        blurred: NDArray[np.float32] = cv2.GaussianBlur(
            value.reshape(model.height, model.width).astype(np.float32), (0, 0), model.blur_px
        )
        return blurred

    def _reference_cover(self) -> NDArray[np.float64]:
        """Return the share of each pixel that the heated disc covers, (pixels,)."""
        model, fine = self.model, 8
        if model.reference is None:
            return np.zeros(model.width * model.height)
        x, y, z, radius, _ = model.reference
        step = (np.arange(fine) + 0.5) / fine - 0.5
        u = (np.arange(model.width)[:, None] + step).ravel() - (model.width - 1) / 2
        v = (np.arange(model.height)[:, None] + step).ravel() - (model.height - 1) / 2
        inside = np.hypot(u / model.focal_px - x / z, v[:, None] / model.focal_px - y / z) < radius / z
        cover: NDArray[np.float64] = inside.reshape(model.height, fine, model.width, fine).mean(axis=(1, 3)).ravel()
        return cover

    def _nearest(
        self, placed: PlacedShapes, part: NDArray[np.int64], pixel: NDArray[np.int64], x: NDArray[np.float64],
        y: NDArray[np.float64], depth: NDArray[np.float64], value: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Let parts that lie nearer than what is in the picture replace it (depth and value are changed in place)."""
        found = intersect(placed, part, x, y)
        hit = np.flatnonzero(found < depth[pixel])
        np.minimum.at(depth, pixel[hit], found[hit])
        won = hit[found[hit] <= depth[pixel[hit]]]
        distance = found[won] * np.sqrt(x[won] ** 2 + y[won] ** 2 + 1.0)
        tau = np.interp(distance, self._distances, self._transmission)
        value[pixel[won]] = tau * self._shape_radiance[placed.index[part[won]]] + (1.0 - tau) * self._air_radiance

    def _sharpen_heads(self, placed: PlacedShapes, depth: NDArray[np.float64], value: NDArray[np.float64]) -> None:
        """Cast finer rays at near heads: SUBSAMPLES² in each pixel, averaged as the detector's area does."""
        model, n = self.model, SUBSAMPLES
        chosen = np.flatnonzero(self._shapes.head[placed.index] & (placed.centre[:, 2] < HEAD_RANGE_M))
        if not len(chosen):
            return
        some = PlacedShapes(
            placed.index[chosen], placed.matrix[chosen], placed.origin[chosen], placed.centre[chosen],
            placed.extent[chosen], placed.box[chosen],
        )  # fmt: skip
        part, fine = pairs(windows(some, model.focal_px * n, model.width * n, model.height * n), model.width * n)
        row, column = np.divmod(fine, model.width * n)
        x = ((column + 0.5) / n - model.width / 2) / model.focal_px
        y = ((row + 0.5) / n - model.height / 2) / model.focal_px
        touched = np.zeros(model.width * model.height, dtype=np.bool_)
        touched[(row // n) * model.width + column // n] = True
        # Samples that meet no head keep the pixel's own value; a nearer body in the pixel hides the head.
        fine_depth = _enlarged(depth + HEAD_DEPTH_M, model, n)
        fine_value = _enlarged(value, model, n)
        self._nearest(some, part, fine, x, y, fine_depth, fine_value)
        mean = fine_value.reshape(model.height, n, model.width, n).mean(axis=(1, 3)).ravel()
        value[touched] = mean[touched]

    def _cast_hall(self, position: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return depth along the axis [m] and radiance of the still hall for every pixel, (2, pixels).

        One ray per 4×4 pixels; every pixel of a cell where neighbouring rays meet different surfaces, or where a small
        hot or cold thing may hide between the rays.
        """
        model, cell = self.model, CELL_PX
        rows, columns = model.height // cell, model.width // cell
        u, v = np.meshgrid((np.arange(columns) + 0.5) * cell - 0.5, (np.arange(rows) + 0.5) * cell - 0.5)
        geoms, distance = self._cast(position, self._directions(u.ravel(), v.ravel()) @ rotation.T)
        ids = geoms.reshape(rows, columns)
        mixed = self._small_things(position, rotation, rows, columns)
        for axis in (0, 1):
            change = np.diff(ids, axis=axis) != 0
            before, after = (slice(None, -1), slice(None)), (slice(1, None), slice(None))
            mixed[before if axis == 0 else before[::-1]] |= change
            mixed[after if axis == 0 else after[::-1]] |= change
        ids_full = np.repeat(np.repeat(ids, cell, 0), cell, 1).ravel()
        depth = np.repeat(np.repeat(distance.reshape(rows, columns), cell, 0), cell, 1).ravel()
        again = np.flatnonzero(np.repeat(np.repeat(mixed, cell, 0), cell, 1).ravel())
        ids_full[again], depth[again] = self._cast(position, self._pixel_rays[again] @ rotation.T)
        depth[ids_full < 0] = FAR_M
        tau = np.interp(depth, self._distances, self._transmission)
        return np.stack([depth * self._along, tau * self._hall_radiance[ids_full] + (1.0 - tau) * self._air_radiance])

    def _small_things(
        self, position: NDArray[np.float64], rotation: NDArray[np.float64], rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """Mark the cells around the hall's hot and cold things, (rows, columns)."""
        marked = np.zeros((rows, columns), dtype=np.bool_)
        local = (self._marks - position) @ rotation
        focal = self.model.focal_px / CELL_PX
        for (x, y, z), radius in zip(local, self._mark_radius, strict=True):
            reach = radius * focal / max(z, 0.1)
            if z > 0.3 and reach < 6.0:
                u, v = x / z * focal + columns / 2, y / z * focal + rows / 2
                marked[
                    max(0, int(v - reach)) : max(0, int(v + reach) + 1),
                    max(0, int(u - reach)) : max(0, int(u + reach) + 1),
                ] = True
        return marked

    def _cast(
        self, position: NDArray[np.float64], directions: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the surface of the hall that each ray meets (geom id, −1 for none) and its distance [m]."""
        count = len(directions)
        geoms, distance = np.empty(count, dtype=np.int32), np.empty(count)
        mujoco.mj_multiRay(
            self._hall.model, self._hall.data, position, np.ascontiguousarray(directions).ravel(), None, 1, -1,
            geoms, distance, None, count, FAR_M,
        )  # fmt: skip
        return geoms, distance

    def _directions(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return unit vectors in the optical frame for pixel coordinates; pixel centres are whole numbers, (n, 3)."""
        model = self.model
        x = (u - (model.width - 1) / 2) / model.focal_px
        y = (v - (model.height - 1) / 2) / model.focal_px
        scale = 1.0 / np.sqrt(x * x + y * y + 1.0)
        return np.stack([x * scale, y * scale, scale], axis=1)

    def _offset_k(self, time_s: float) -> np.float32:
        """Return the unit's error now: its own offset, the drift since the last correction, and the step after it."""
        model = self.model
        since = time_s - self._ffc_at_s
        step = self._ffc_step_k * min(1.0, max(0.0, since - model.ffc_frozen_s) / model.ffc_settle_s)
        drift = -self._ffc_step_k * min(1.0, since / model.ffc_interval_s)
        return np.float32(self._unit_offset_k + (step if self._ffc_at_s > 0 else 0.0) + drift)


def _surface(temperature_k: NDArray[np.float64], emissivity: NDArray[np.float64], air_k: float) -> NDArray[np.float64]:
    """Return what leaves surfaces in surroundings of the air's temperature; NaN temperatures are the air's."""
    return surface_radiance(np.where(np.isnan(temperature_k), air_k, temperature_k), emissivity, air_k)


def _enlarged(picture: NDArray[np.float64], model: ThermalCameraModel, factor: int) -> NDArray[np.float64]:
    """Repeat every pixel factor × factor times; flat in, flat out."""
    return np.repeat(np.repeat(picture.reshape(model.height, model.width), factor, 0), factor, 1).ravel()
