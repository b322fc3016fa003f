"""Notebook widgets: the atom viewer, the cockpit, the form and live views.

Importing the package registers the live views of records, see `acemaker.formatting.figures`.
"""

from acemaker.widgets.candidates import candidates_view
from acemaker.widgets.viewer.choice import diagnosis_view, halt_view

__all__ = ["candidates_view", "diagnosis_view", "halt_view"]
