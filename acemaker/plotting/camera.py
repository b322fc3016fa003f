"""From where NGL looks at a scene."""

from __future__ import annotations

import numpy as np

from acemaker.plotting.scene import DIRECTION, Scene

FIELD, SHAPE, MARGIN = 40.0, 1.3, 1.2
"""NGL's field of view in degrees, the least width of the canvas by its height, and the room around atoms in Å."""


def camera(scene: Scene) -> list[float]:
    """Look at the middle of a scene from its `DIRECTION`.

    Parameters
    ----------
    scene
        What is to be seen as a whole.

    Returns
    -------
    list of 16 float
        NGL's matrix, column by column: the turn times the distance in Å, and the shift of the middle to the origin.
    """
    points = np.nan_to_num(scene.positions if scene.corners is None else np.vstack([scene.positions, scene.corners]))
    # the camera stands at -z, so that x points to the left before anything is turned
    turn = np.diag([-1.0, 1.0, -1.0]) @ DIRECTION
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    width, height = 2 * np.abs((points - middle) @ turn.T).max(axis=0)[:2] + 2 * MARGIN
    seen = max(float(height), float(width) / SHAPE)
    matrix = np.eye(4)
    matrix[:3, :3] = turn * seen / (2 * np.tan(np.radians(FIELD / 2)))
    matrix[:3, 3] = -middle
    return [float(value) for value in matrix.T.ravel()]
