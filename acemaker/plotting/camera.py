"""Camera position of NGL for a scene."""

from __future__ import annotations

import numpy as np

from acemaker.plotting.scene import DIRECTION, Scene

FIELD, SHAPE, MARGIN = 40.0, 1.3, 1.2
"""NGL's field of view in degrees, the minimum aspect ratio of the canvas, and the margin around atoms in Å."""


def camera(scene: Scene) -> list[float]:
    """Return the camera that shows a scene from `DIRECTION`, centered.

    Parameters
    ----------
    scene
        The scene, which is shown completely.

    Returns
    -------
    list of 16 float
        NGL's matrix, column by column: rotation times distance in Å, and the shift of the center to the origin.
    """
    points = np.nan_to_num(scene.positions if scene.corners is None else np.vstack([scene.positions, scene.corners]))
    # the camera is at -z, so that x points to the left before any rotation
    rotation = np.diag([-1.0, 1.0, -1.0]) @ DIRECTION
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    width, height = 2 * np.abs((points - center) @ rotation.T).max(axis=0)[:2] + 2 * MARGIN
    extent = max(float(height), float(width) / SHAPE)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * extent / (2 * np.tan(np.radians(FIELD / 2)))
    matrix[:3, 3] = -center
    return [float(value) for value in matrix.T.ravel()]
