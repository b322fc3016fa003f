"""Copies the notebooks of the repository into the pages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = {"02_real_dft.ipynb": "pw.x"}
"""Programs that notebooks need; without its program, a notebook is shown without outputs."""


def copy_notebooks(app: Any, config: Any) -> None:
    """Copy the notebooks into `tutorial`, which git ignores; do not run those whose program is missing."""
    target = Path(app.srcdir) / "tutorial"
    for old in target.rglob("*.ipynb"):
        old.unlink()
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if path.parent.name == "solutions":  # students should find the solutions themselves
            continue
        copy = target / path.relative_to(ROOT / "notebooks")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    config.nb_execution_excludepatterns = [
        *(f"tutorial/{name}" for name, program in PROGRAMS.items() if shutil.which(program) is None)
    ]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", copy_notebooks, priority=100)  # before myst_nb reads the patterns
    return {"parallel_read_safe": True}
