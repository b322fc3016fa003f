"""The viewer that nglview draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from acemaker.plotting.camera import camera
from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import Scene
from acemaker.widgets.viewer.nglview_widget import widget_class
from acemaker.widgets.viewer.pdb import ATOMS, CELL, pdb_text

HEIGHT = 400
"""Pixels."""

STAGE = {"cameraType": "orthographic", "fogNear": 100, "fogFar": 100, "tooltip": False}
"""Of NGL."""

CODE = "this.$pickingInfo.hide(); this.stage.mouseControls.remove('clickPick-left')"
"""Hides its own words on a picked atom, which are of residues, and keeps a click from moving everything."""

SETTLED = "settled"
ANSWER = f"this.send({{type: '{SETTLED}'}})"
"""Tells that all before it has been done: a structure that is replaced earlier keeps how it was seen before that."""


class NglviewViewer:
    """Atoms as spheres, by WebGL in the browser.

    One structure is kept in the front end and replaced by the next. Scenes wait until the front end has drawn the one
    before, so that it never has two at once, and of those that wait only the last is sent.

    Parameters
    ----------
    scale
        Of gamma.

    Raises
    ------
    MissingLibraryError
        If nglview is not installed, or cannot work.
    """

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._callbacks: list[Callable[[int], None]] = []
        self._scene: Scene | None = None
        self._text = ""
        self._drawn = ""  # what the front end has, or is about to have
        self._busy = self._opened = False
        self._further: list[dict[str, Any]] = []  # to be sent once the structure is there
        self._widget = widget_class()(self._send, HEIGHT)
        self._widget.observe(self._on_click, names="picked")
        self._widget.on_msg(self._on_message)

    @property
    def widget(self) -> Any:
        """What is put on the page."""
        return self._widget

    def show(self, scene: Scene) -> None:
        """Draw a scene in place of the one before."""
        self._scene, self._text = scene, pdb_text(scene, self._scale)
        # from these, a page that is opened again is drawn
        self._widget._ngl_msg_archive = self._first_messages()
        self._send()

    def on_pick(self, callback: Callable[[int], None]) -> None:
        """Have a function called with the place of an atom that is clicked."""
        self._callbacks.append(callback)

    def close(self) -> None:
        """Take the widget off the page."""
        self._callbacks.clear()
        self._widget.close()

    def _send(self) -> None:
        """Send the scene that is wanted, unless the front end is not there or still at work."""
        if self._scene is None or not self._widget.loaded or self._busy or self._drawn == self._text:
            return
        first, self._drawn, self._busy = not self._drawn, self._text, True
        if first:
            load, *self._further = self._first_messages()
            self._widget.send(load)
        else:
            self._widget.send(self._message("replaceStructure", args=[{"data": self._text, "ext": "pdb"}]))

    def _on_message(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Go on when the front end has drawn a structure, or was opened again."""
        if message.get("type") == "async_message" and message.get("data") == "ok":
            further, self._further = self._further, []
            for one in further:
                self._widget.send(one)
            self._widget.send(self._message("request_repr_dict"))  # what a page that is opened again begins with
            if further:
                self._widget.send(self._message("executeCode", args=[ANSWER]))
            else:
                self._go_on()
        elif message.get("type") == SETTLED:
            self._go_on()
        elif message.get("type") == "request_loaded":
            if self._opened:  # again, and it draws itself from the first messages
                self._busy, self._drawn = False, self._text
            self._opened = True

    def _go_on(self) -> None:
        """Send what is waiting."""
        self._busy = False
        self._send()

    def _on_click(self, change: dict[str, Any]) -> None:
        """Pass on a click on an atom; each comes twice, once empty, and lines of the cell have no atoms."""
        row = (change["new"] or {}).get("atom1", {}).get("index")
        if self._scene is not None and isinstance(row, int) and 0 <= row < len(self._scene.indices):
            for callback in self._callbacks:
                callback(row)

    def _first_messages(self) -> list[dict[str, Any]]:
        """Load a structure, and say how it is drawn and from where."""
        assert self._scene is not None
        blob = {"type": "blob", "data": self._text, "binary": False}
        atoms = {
            "sele": f"[{ATOMS}]",
            "radiusType": "covalent",
            "radiusScale": 0.62,
            "colorScheme": "bfactor",
            "colorScale": self._scale.colours(),
            "colorDomain": [float(value) for value in np.log10([self._scale.low, self._scale.high])],
        }
        messages = [
            self._message("loadFile", "Stage", [blob], {"ext": "pdb", "defaultRepresentation": False}),
            self._representation("spacefill", atoms),
        ]
        if len(self._scene.marked):
            ring = {"sele": f"@{','.join(map(str, self._scene.marked))}", "radiusType": "covalent", "radiusScale": 0.76}
            # the inner side of a larger sphere: a ring around the atom from wherever one looks
            look = {
                "color": "#000000",
                "side": "back",
                "disableImpostor": True,
                "quality": "high",
                "disablePicking": True,
            }
            messages.append(self._representation("spacefill", ring | look))
        if self._scene.corners is not None:
            look = {"color": "#808080", "radiusSize": 0.06, "radiusType": "size", "disablePicking": True}
            messages.append(self._representation("licorice", {"sele": f"[{CELL}]"} | look))
        return [
            *messages,
            # fog would change colours with depth
            self._message("setParameters", "Stage", [STAGE]),
            # these also where a page is opened again; its own first size is of a page that is not laid out yet
            self._message("setSize", args=["100%", f"{HEIGHT}px"]) | {"fire_embed": True},
            self._message("executeCode", args=[CODE]) | {"fire_embed": True},
            self._message("orient", "viewerControls", [camera(self._scene)]) | {"fire_embed": True},
        ]

    def _representation(self, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._message("addRepresentation", "compList", [kind], {**parameters, "component_index": 0})

    def _message(
        self, method: str, target: str = "Widget", args: list[Any] | None = None, kwargs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        message: dict[str, Any] = self._widget._get_remote_call_msg(method, target, args, kwargs)
        return message
