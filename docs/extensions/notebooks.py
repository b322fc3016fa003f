"""Brings the notebooks of the repository among the pages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = {"02_real_dft.ipynb": "pw.x"}
"""What a notebook needs to be executed; without it, it is shown without outputs."""


def bring(app: Any, config: Any) -> None:
    """Copy the notebooks into `tutorial`, where git does not see them; those whose program is missing are not run."""
    target = Path(app.srcdir) / "tutorial"
    for old in target.rglob("*.ipynb"):
        old.unlink()
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if path.parent.name == "solutions":  # of the workshop: no pages for those who are to find them
            continue
        copy = target / path.relative_to(ROOT / "notebooks")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    config.nb_execution_excludepatterns = [
        *(f"tutorial/{name}" for name, program in PROGRAMS.items() if shutil.which(program) is None)
    ]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", bring, priority=100)  # before the notebooks' own extension looks at the patterns
    return {"parallel_read_safe": True}
