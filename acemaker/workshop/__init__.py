"""The workshop: shared functions of its notebooks, and self-checks of their exercises.

The checks compute the right answers from results of the notebook and contain none themselves.
"""

from acemaker.workshop.answer import Answer
from acemaker.workshop.folder import new_folder

__all__ = ["Answer", "new_folder"]
