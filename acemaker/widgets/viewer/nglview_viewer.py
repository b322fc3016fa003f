"""The viewer based on nglview."""

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
"""Height in pixels."""

STAGE = {"cameraType": "orthographic", "fogNear": 100, "fogFar": 100, "tooltip": False}
"""Parameters of NGL's stage."""

CODE = "this.$pickingInfo.hide(); this.stage.mouseControls.remove('clickPick-left')"
"""Hides NGL's text on a picked atom, which is about residues, and disables centering on a click."""

SETTLED = "settled"
ANSWER = f"this.send({{type: '{SETTLED}'}})"
"""Message that all commands before it are done: a structure that is replaced earlier keeps its old representations."""


class NglviewViewer:
    """Viewer that draws atoms as spheres with WebGL in the browser.

    The front end has one structure, which is replaced by the next. A scene waits until the front end has drawn the
    previous one, so that it never has two at once; only the last one that waits is sent.

    Parameters
    ----------
    scale
        Scale of gamma.

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
        self._drawn = ""  # the text that was last sent to the front end
        self._busy = self._opened = False
        self._pending: list[dict[str, Any]] = []  # messages to send after the structure is loaded
        self._widget = widget_class()(self._send, HEIGHT)
        self._widget.observe(self._on_click, names="picked")
        self._widget.on_msg(self._on_message)

    @property
    def widget(self) -> Any:
        """The widget."""
        return self._widget

    def show(self, scene: Scene) -> None:
        """Draw a scene, replacing the previous one."""
        self._scene, self._text = scene, pdb_text(scene, self._scale)
        # a page that is opened again is drawn from these messages
        self._widget._ngl_msg_archive = self._first_messages()
        self._send()

    def on_pick(self, callback: Callable[[int], None]) -> None:
        """Register a function that is called with the index of a clicked atom."""
        self._callbacks.append(callback)

    def close(self) -> None:
        """Remove the widget from the page."""
        self._callbacks.clear()
        self._widget.close()

    def _send(self) -> None:
        """Send the current scene, unless the front end is not connected or still busy."""
        if self._scene is None or not self._widget.loaded or self._busy or self._drawn == self._text:
            return
        first, self._drawn, self._busy = not self._drawn, self._text, True
        if first:
            load, *self._pending = self._first_messages()
            self._widget.send(load)
        else:
            self._widget.send(self._message("replaceStructure", args=[{"data": self._text, "ext": "pdb"}]))

    def _on_message(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Continue after the front end has drawn a structure, or was opened again."""
        if message.get("type") == "async_message" and message.get("data") == "ok":
            pending, self._pending = self._pending, []
            for pending_message in pending:
                self._widget.send(pending_message)
            self._widget.send(self._message("request_repr_dict"))  # the initial state of a page that is opened again
            if pending:
                self._widget.send(self._message("executeCode", args=[ANSWER]))
            else:
                self._continue()
        elif message.get("type") == SETTLED:
            self._continue()
        elif message.get("type") == "request_loaded":
            if self._opened:  # opened again: the page draws itself from the first messages
                self._busy, self._drawn = False, self._text
            self._opened = True

    def _continue(self) -> None:
        """Send the scene that is waiting."""
        self._busy = False
        self._send()

    def _on_click(self, change: dict[str, Any]) -> None:
        """Pass a click on an atom to the callbacks; each arrives twice, once empty, and cell edges are no atoms."""
        row = (change["new"] or {}).get("atom1", {}).get("index")
        if self._scene is not None and isinstance(row, int) and 0 <= row < len(self._scene.indices):
            for callback in self._callbacks:
                callback(row)

    def _first_messages(self) -> list[dict[str, Any]]:
        """Return the messages that load a structure and set its representations and camera."""
        assert self._scene is not None
        blob = {"type": "blob", "data": self._text, "binary": False}
        atoms = {
            "sele": f"[{ATOMS}]",
            "radiusType": "covalent",
            "radiusScale": 0.62,
            "colorScheme": "bfactor",
            "colorScale": self._scale.colors(),
            "colorDomain": [float(value) for value in np.log10([self._scale.low, self._scale.high])],
        }
        messages = [
            self._message("loadFile", "Stage", [blob], {"ext": "pdb", "defaultRepresentation": False}),
            self._representation("spacefill", atoms),
        ]
        if len(self._scene.marked):
            ring = {"sele": f"@{','.join(map(str, self._scene.marked))}", "radiusType": "covalent", "radiusScale": 0.76}
            # the inner side of a larger sphere looks like a ring around the atom from every direction
            style = {
                "color": "#000000",
                "side": "back",
                "disableImpostor": True,
                "quality": "high",
                "disablePicking": True,
            }
            messages.append(self._representation("spacefill", ring | style))
        if self._scene.corners is not None:
            style = {"color": "#808080", "radiusSize": 0.06, "radiusType": "size", "disablePicking": True}
            messages.append(self._representation("licorice", {"sele": f"[{CELL}]"} | style))
        return [
            *messages,
            # fog would change the colors with depth
            self._message("setParameters", "Stage", [STAGE]),
            # the following also when a page is opened again: its initial size is that of a page without layout
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
