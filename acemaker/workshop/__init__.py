"""The workshop: what its notebooks share, and the self-checks of their exercises.

The checks work out the truth from what the notebook has made, and hold no answers.
"""

from acemaker.workshop.answer import Answer
from acemaker.workshop.folder import new_folder

__all__ = ["Answer", "new_folder"]
