"""What a real thermal camera adds to an ideal picture: emissivity, air, optics and detector errors.

Gazebo's thermal camera gives each pixel the temperature of the visual it shows, without emissivity, atmosphere, blur or
noise. The same stage as the built-in camera's puts them on, so that nodes meet the same picture in both simulators.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_sim.sensors.radiometry import apparent_temperature, radiance, surface_radiance, transmission
from inspection_sim.sensors.thermal_camera import KELVIN_PER_COUNT, ThermalCameraModel
from inspection_sim.world.sdf import Air

MEAN_EMISSIVITY: Final = 0.96
"""Skin 0.98, clothing 0.95, walls 0.93: Gazebo does not tell which surface a pixel shows."""
MEAN_DISTANCE_M: Final = 3.0
"""Nor how far it is; the transmission of a few metres of air differs by less than 1 %."""


def real_picture(
    ideal: NDArray[np.uint16], air: Air, model: ThermalCameraModel, unit_offset_k: float, generator: np.random.Generator
) -> NDArray[np.uint16]:
    """Return what a camera would have measured.

    Args:
        ideal: (height, width) counts of 0.01 K, true surface temperatures.
        air: of the world.
        model: constants of the camera.
        unit_offset_k: this unit's offset [K].
        generator: random numbers.
    """
    air_k = air.temperature_c + 273.15
    surface = surface_radiance(
        ideal.ravel().astype(np.float64) * KELVIN_PER_COUNT, np.full(ideal.size, MEAN_EMISSIVITY), air_k
    )
    tau = float(transmission(np.array([MEAN_DISTANCE_M]), air.temperature_c, air.relative_humidity)[0])
    arriving = tau * surface + (1.0 - tau) * float(radiance(air_k))
    blurred = cv2.GaussianBlur(arriving.reshape(ideal.shape), (0, 0), model.blur_px)
    kelvin = apparent_temperature(blurred.ravel()).reshape(ideal.shape)
    kelvin = kelvin + unit_offset_k + generator.normal(0.0, model.netd_k, ideal.shape)
    return np.clip(np.rint(kelvin / KELVIN_PER_COUNT), 0, 65535).astype(np.uint16)
