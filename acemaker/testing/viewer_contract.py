"""Contract tests for a viewer, as a test class to inherit; the drawing itself can only be tested in a browser."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from ase.build import bulk

from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import Scene, Scenes
from acemaker.widgets.viewer.protocol import Viewer


class ViewerContract:
    """Contract of a viewer.

    Examples
    --------
    Inherit from it in a test file, and define what makes yours; pytest then runs all its tests.

    >>> from acemaker.testing import ViewerContract
    >>> class TestMine(ViewerContract): ...
    """

    def make_viewer(self, scale: Scale) -> Viewer:
        """Return a new viewer."""
        raise NotImplementedError

    def click(self, viewer: Viewer, row: int) -> None:
        """Simulate, in the kernel, a click on an atom of the current scene."""
        raise NotImplementedError

    def make_scenes(self) -> list[Scene]:
        """Return scenes of one structure."""
        frames = []
        for seed in range(5):
            atoms = bulk("Cu", cubic=True).repeat(2)
            atoms.rattle(0.1, seed=seed)
            atoms.arrays["gamma"] = np.random.default_rng(seed).uniform(0.1, 50, len(atoms))
            frames.append(atoms)
        scenes = Scenes(frames, 4, np.array([3, 7]))
        return [scenes[check] for check in range(5)]

    def test_it_is_a_widget(self) -> None:
        """The viewer can be combined with other widgets."""
        widgets = pytest.importorskip("ipywidgets", reason="no ipywidgets: pip install 'acemaker[notebooks]'")
        viewer = self.make_viewer(Scale())
        assert isinstance(viewer.widget, widgets.DOMWidget)
        widgets.VBox([viewer.widget])

    def test_a_click_tells_which_atom(self) -> None:
        """The callback is called once per click, also after a change of scenes."""
        viewer = self.make_viewer(Scale())
        clicked: list[int] = []
        viewer.on_pick(clicked.append)
        for row, scene in enumerate(self.make_scenes()):
            viewer.show(scene)
            self.click(viewer, row)
        self.click(viewer, 4)
        assert clicked == [0, 1, 2, 3, 4, 4]

    def test_neither_scenes_nor_viewers_leave_threads(self) -> None:
        """Kernels may run for days, so that threads must not accumulate."""
        scenes = self.make_scenes()
        self.make_viewer(Scale()).show(scenes[0])
        before = threading.active_count()
        viewers = [self.make_viewer(Scale()) for _ in range(5)]
        for number in range(200):
            viewers[0].show(scenes[number % 5])
        assert threading.active_count() == before
        for viewer in viewers:
            viewer.close()
        assert threading.active_count() == before
