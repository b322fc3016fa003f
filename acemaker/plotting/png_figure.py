"""A matplotlib figure that notebooks display without pyplot."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class PngFigure(Figure):
    """A matplotlib figure that renders itself as PNG; thread-safe, since it is not registered with pyplot."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        FigureCanvasAgg(self)
        self.savefig(stream, format="png", dpi=100, metadata={"Software": None})
        return stream.getvalue()
