"""The soft start: what is seen while a new potential's shock is damped, before the trajectory goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from acemaker.config import EngineConfig
from acemaker.engines.records import SoftStart
from acemaker.engines.segment_monitor import FRAMES_KEPT, Look, SegmentWatch
from acemaker.lammps import script


class SoftWatch:
    """Follows a soft start; only the break tier counts.

    Parameters
    ----------
    watch
        Of the segment, which takes over a break as its first check.
    config
        The engine's.
    """

    def __init__(self, watch: SegmentWatch, config: EngineConfig) -> None:
        self._watch = watch
        self._config = config
        self._start_step = watch.request.start_step
        self._thermo: dict[int, dict[str, float]] = {}
        self._looks: deque[Look] = deque(maxlen=FRAMES_KEPT)
        self._gamma = 0.0

    def look(self, look: Look) -> bool:
        """Take in a look; True if the potential breaks even under damping."""
        if self._watch.verdict is not None:
            return True
        self._looks.append(look)
        gamma = float(look.gamma.max())
        self._gamma = max(self._gamma, gamma)
        if gamma <= self._watch.request.rule.threshold_break:
            return False
        self._watch.break_off(self._looks, self._start_step)
        return True

    def blew_up(self) -> bool:
        """Make a break of LAMMPS's death if gamma had warned."""
        if not self._looks or not self._looks[-1].gamma.max() > self._watch.request.rule.threshold_add_train:
            return False
        self._watch.break_off(self._looks, self._start_step)
        return True

    def thermo(self, thermo: Mapping[str, float]) -> None:
        """Take in thermodynamic output; a step that was printed before is passed over."""
        if "f_soft" in thermo:
            self._thermo.setdefault(int(thermo["Step"]), dict(thermo))

    def finish(self) -> None:
        """Keep the result."""
        if not self._thermo:
            return
        rows = [self._thermo[step] for step in sorted(self._thermo)]
        temperatures = np.array([row["Temp"] for row in rows])
        self._watch.keep_soft_start(
            SoftStart(
                start_step=self._start_step,
                steps=script.soft_start_steps(self._config),
                temperature_target=script.ramp_temperature(self._config, self._start_step),
                temperature_before=float(temperatures[0]),
                temperature_highest=float(temperatures.max()),
                temperature_after=float(temperatures[-1]),
                heat_removed=float(rows[-1]["f_soft"]),
                gamma_max=self._gamma,
            )
        )
