"""A MuJoCo scene of a world: what rays hit.

MuJoCo is used for its geometry alone (ray casting and rendering); bodies that move are mocap bodies placed by the crowd
and the robot's kinematics, so that a step costs one forward-kinematics pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np
import segno
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_sim.world.sdf import Model, Shape, Visual, World

SOLID_GROUP: Final = 0
"""What every sensor sees."""
PATCH_GROUP: Final = 1
"""Thin patches of a face: the thermal camera alone casts rays at them."""
ROBOT_GROUP: Final = 2
"""The robot itself: drawn in pictures of the hall, invisible to its own sensors."""
PARKED: Final = np.array([0.0, 0.0, -50.0])
"""Where bodies wait that are not in the hall [m]."""

_TYPES: Final = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "plane": mujoco.mjtGeom.mjGEOM_PLANE,
}


@dataclass(frozen=True)
class Scene:
    """A compiled world.

    Attributes:
        model: MuJoCo model.
        data: MuJoCo state; the poses of moving bodies are set by :meth:`place`.
        moving: names of the moving models, in mocap order.
        temperature_k: (geoms,) surface temperature; NaN where it is that of the surroundings [K].
        emissivity: (geoms,) 8–14 µm.
        body_of: moving model name → MuJoCo body id.
        names: (geoms) "model/visual".
    """

    model: Any
    data: Any
    moving: tuple[str, ...]
    temperature_k: NDArray[np.float64]
    emissivity: NDArray[np.float64]
    body_of: dict[str, int]
    names: tuple[str, ...]

    def place(self, positions: NDArray[np.float64], yaws: NDArray[np.float64]) -> None:
        """Put every moving model at (n, 3) positions [m] with (n,) yaw angles [rad], in the order of `moving`."""
        if len(positions):
            self.data.mocap_pos[:] = positions
            self.data.mocap_quat[:, 0] = np.cos(yaws / 2)
            self.data.mocap_quat[:, 3] = np.sin(yaws / 2)
            self.data.mocap_quat[:, 1:3] = 0.0
        mujoco.mj_kinematics(self.model, self.data)


def build_scene(
    world: World, robot: Model | None = None, picture: tuple[int, int] = (640, 480), samples: int = 0
) -> Scene:
    """Compile a world.

    Args:
        world: static models become part of the world body, the others mocap bodies.
        robot: a model of the robot itself, added as the last moving body; its geoms are in :data:`ROBOT_GROUP`.
        picture: largest width and height that will be rendered off screen [px].
        samples: multisampling of rendered pictures; 0: none.
    """
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = picture
    spec.visual.quality.offsamples = samples
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.5, 0.5, 0.5]
    spec.visual.map.znear = 0.001
    spec.worldbody.add_light(pos=[0, 0, 12], dir=[-0.3, 0.2, -0.9], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    spec.worldbody.add_camera(name="free", mode=mujoco.mjtCamLight.mjCAMLIGHT_FIXED)
    visuals: list[tuple[str, Visual]] = []
    textures: dict[tuple[str, str], str] = {}
    moving = [model for model in world.models if not model.static]
    for model in world.models:
        if model.static:
            for visual in model.visuals:
                _add_geom(spec, spec.worldbody, model.pose @ visual.pose, visual, textures, SOLID_GROUP)
                visuals.append((f"{model.name}/{visual.name}", visual))
    for model in [*moving, *([robot] if robot else [])]:
        body = spec.worldbody.add_body(name=model.name, mocap=True, pos=list(PARKED))
        for visual in model.visuals:
            group = ROBOT_GROUP if model is robot else PATCH_GROUP if visual.patch else SOLID_GROUP
            _add_geom(spec, body, visual.pose, visual, textures, group)
            visuals.append((f"{model.name}/{visual.name}", visual))
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    mujoco.mj_kinematics(compiled, data)
    temperature = np.array(
        [np.nan if v.temperature_k is None else v.temperature_k for _, v in visuals], dtype=np.float64
    )
    names = [model.name for model in moving] + ([robot.name] if robot else [])
    body_of = {name: mujoco.mj_name2id(compiled, mujoco.mjtObj.mjOBJ_BODY, name) for name in names}
    return Scene(
        compiled, data, tuple(names), temperature,
        np.array([v.emissivity for _, v in visuals], dtype=np.float64), body_of, tuple(name for name, _ in visuals),
    )  # fmt: skip


def body_indices(scene: Scene, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the mocap indices of moving models."""
    return np.array([scene.moving.index(name) for name in names], dtype=np.int64)


def _sizes(shape: Shape) -> list[float]:
    """Return MuJoCo's half sizes of an SDF shape."""
    d = shape.dimensions
    if shape.kind == "box":
        return [d[0] / 2, d[1] / 2, d[2] / 2]
    if shape.kind in ("cylinder", "capsule"):
        return [d[0], d[1] / 2, 0.0]
    if shape.kind == "sphere":
        return [d[0], 0.0, 0.0]
    if shape.kind == "plane":
        return [d[3] / 2, d[4] / 2, 0.1]
    return [d[0], d[1], d[2]]


def _add_geom(
    spec: Any, body: Any, pose: NDArray[np.float64], visual: Visual, textures: dict[tuple[str, str], str], group: int
) -> None:
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    geom = body.add_geom(
        type=_TYPES[visual.shape.kind], size=_sizes(visual.shape), pos=pose[:3, 3].tolist(), quat=[w, x, y, z],
        rgba=list(visual.colour), group=group, contype=1, conaffinity=0,
    )  # fmt: skip
    if visual.texture:
        geom.material = _printed(spec, visual, textures)
        geom.rgba = [1.0, 1.0, 1.0, 1.0]


def _printed(spec: Any, visual: Visual, textures: dict[tuple[str, str], str]) -> str:
    """Return the name of the material that bears a printed code; the cube texture puts it upright on every side."""
    key = (visual.texture_format, visual.texture)
    if key not in textures:
        name = f"print_{len(textures)}"
        matrix = np.array(
            [list(row) for row in segno.make(visual.texture, error="m", micro=False).matrix], dtype=np.uint8
        )
        cells = np.kron(
            np.pad(np.where(matrix > 0, 0, 255).astype(np.uint8), 4, constant_values=255), np.ones((8, 8), np.uint8)
        )
        side = np.repeat(cells[:, :, None], 3, axis=2)
        texture = spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_CUBE, width=side.shape[1], height=6 * side.shape[0], nchannel=3
        )
        texture.data = np.concatenate([side] * 6).tobytes()
        material = spec.add_material(name=name)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
        textures[key] = name
    return textures[key]
