"""Monitoring of a soft start, which damps the shock of a new potential before production continues."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from acemaker.config import EngineConfig
from acemaker.engines.records import SoftStart
from acemaker.engines.segment_monitor import MAX_FRAMES, Frame, SegmentMonitor
from acemaker.lammps import script


class SoftStartMonitor:
    """Monitors a soft start, in which only the break threshold halts.

    Parameters
    ----------
    monitor
        Monitor of the segment, which records a break as the segment's first check.
    config
        Settings of the engine.
    """

    def __init__(self, monitor: SegmentMonitor, config: EngineConfig) -> None:
        self._monitor = monitor
        self._config = config
        self._start_step = monitor.request.start_step
        self._thermo: dict[int, dict[str, float]] = {}
        self._frames: deque[Frame] = deque(maxlen=MAX_FRAMES)
        self._gamma = 0.0

    def add_frame(self, frame: Frame) -> bool:
        """Add a frame; return True if its gamma exceeds the break threshold."""
        if self._monitor.decision is not None:
            return True
        frame = self._monitor.graded(frame)
        self._frames.append(frame)
        gamma = float(frame.gamma.max())
        self._gamma = max(self._gamma, gamma)
        if gamma <= self._monitor.request.rule.threshold_break:
            return False
        self._monitor.record_soft_start_break(self._frames, self._start_step)
        return True

    def blew_up(self) -> bool:
        """Record a break at the last frame if its gamma was high before LAMMPS died; return whether it was."""
        if not self._frames or not self._frames[-1].gamma.max() > self._monitor.request.rule.threshold_add_train:
            return False
        self._monitor.record_soft_start_break(self._frames, self._start_step)
        return True

    def thermo(self, thermo: Mapping[str, float]) -> None:
        """Add thermodynamic output; a step that was printed before is ignored."""
        if "f_soft" in thermo:
            self._thermo.setdefault(int(thermo["Step"]), dict(thermo))

    def finish(self) -> None:
        """Save the record of the soft start."""
        if not self._thermo:
            return
        rows = [self._thermo[step] for step in sorted(self._thermo)]
        temperatures = np.array([row["Temp"] for row in rows])
        self._monitor.save_soft_start(
            SoftStart(
                start_step=self._start_step,
                steps=script.soft_start_steps(self._config, self._start_step),
                temperature_target=script.ramp_temperature(self._config, self._start_step),
                temperature_before=float(temperatures[0]),
                temperature_highest=float(temperatures.max()),
                temperature_after=float(temperatures[-1]),
                heat_removed=float(rows[-1]["f_soft"]),
                gamma_max=self._gamma,
            )
        )
