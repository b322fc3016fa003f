"""The cockpit: a campaign stepped, run, stopped and decided on from a notebook, while one sees what it does."""

from acemaker.display.cockpit.cockpit import Cockpit

__all__ = ["Cockpit"]
