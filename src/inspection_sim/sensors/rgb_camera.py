"""A colour camera, rendered off screen by MuJoCo over EGL (Debian libegl1: software, no graphics card needed)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from inspection_sim.world.scene import PATCH_GROUP, SOLID_GROUP, Scene, build_scene
from inspection_sim.world.sdf import World


@dataclass(frozen=True)
class RgbCameraModel:
    """Constants of the camera: picture size [px], horizontal field of view [rad]."""

    width: int = 960
    height: int = 720
    horizontal_view_rad: float = np.deg2rad(62.0)

    @property
    def focal_px(self) -> float:
        """Focal length [px]."""
        return self.width / 2 / float(np.tan(self.horizontal_view_rad / 2))


class RgbCamera:
    """One camera in one world."""

    def __init__(self, world: World, model: RgbCameraModel, shadows: bool = False) -> None:
        """Compile the scene and open a rendering context; `shadows` also smooths edges, for pictures of the hall.

        Raises:
            RuntimeError: there is no EGL here.
        """
        try:
            from mujoco.egl import GLContext

            self._context: Any = GLContext(model.width, model.height)
            self._context.make_current()
        except (ImportError, AttributeError, RuntimeError, OSError) as error:
            raise RuntimeError(f"EGL rendering is not available ({' '.join(str(error).split())})") from error
        self._size = (model.width, model.height)
        self._scene: Scene = build_scene(world, picture=self._size, samples=4 if shadows else 0)
        self._view = mujoco.MjvScene(self._scene.model, maxgeom=4 * self._scene.model.ngeom + 100)
        if not shadows:
            # Shadows and multisampling are two thirds of the cost in software, and no detector needs them.
            self._view.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._draw = mujoco.MjrContext(self._scene.model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._draw)
        self._camera = mujoco.mj_name2id(self._scene.model, mujoco.mjtObj.mjOBJ_CAMERA, "free")
        vertical = 2 * np.arctan(model.height / 2 / model.focal_px)
        self._scene.model.cam_fovy[self._camera] = np.rad2deg(vertical)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = 0
        self._fixed = mujoco.MjvCamera()
        self._fixed.type, self._fixed.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, self._camera
        self._options.geomgroup[[SOLID_GROUP, PATCH_GROUP]] = 1

    def frame(
        self,
        position: NDArray[np.float64],
        rotation: NDArray[np.float64],
        bodies: NDArray[np.float64],
        yaws: NDArray[np.float64],
    ) -> NDArray[np.uint8]:
        """Take a picture, (height, width, 3); arguments as for the thermal camera."""
        scene = self._scene
        scene.place(bodies, yaws)
        mujoco.mj_camlight(scene.model, scene.data)
        scene.data.cam_xpos[self._camera] = position
        # MuJoCo's cameras look along −z with y up; an optical frame looks along z with y down.
        scene.data.cam_xmat[self._camera] = (rotation @ np.diag([1.0, -1.0, -1.0])).ravel()
        mujoco.mjv_updateScene(
            scene.model, scene.data, self._options, None, self._fixed, mujoco.mjtCatBit.mjCAT_ALL.value, self._view
        )
        viewport = mujoco.MjrRect(0, 0, *self._size)
        mujoco.mjr_render(viewport, self._view, self._draw)
        picture = np.empty((self._size[1], self._size[0], 3), dtype=np.uint8)
        mujoco.mjr_readPixels(picture, None, viewport, self._draw)
        return np.ascontiguousarray(picture[::-1])

    def close(self) -> None:
        """Give the rendering context back."""
        self._draw.free()
        self._context.free()
