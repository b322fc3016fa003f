"""The methods of a campaign that do not change it: its facts and their analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ase import Atoms

from acemaker.analysis.accuracy import Accuracy, evaluate_accuracy
from acemaker.analysis.assessment import Assessment, assess
from acemaker.analysis.calibration import GammaCalibration, calibrate_gamma
from acemaker.analysis.convergence import Convergence, convergence_of
from acemaker.analysis.force_errors import ForceErrors, predict_force_errors
from acemaker.analysis.generations import KnownGeneration, generations_of
from acemaker.analysis.label_costs import LabelCosts, label_costs_of
from acemaker.analysis.properties import CHEAP
from acemaker.analysis.property_comparison import PropertyComparison, compare_properties
from acemaker.analysis.report import write_report
from acemaker.analysis.rounds import Round, rounds_of
from acemaker.analysis.short_range import ShortRange, short_range_of
from acemaker.analysis.summary import CampaignSummary, write_summary
from acemaker.analysis.validation import Validation, validate
from acemaker.analysis.what_if import WhatIf, what_if_of
from acemaker.export.dataset import export_dataset
from acemaker.export.exported import ExportedDataset
from acemaker.export.potential import ExportedPotential, export_potential
from acemaker.export.selection import Masked
from acemaker.formatting.summary import Summary
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.oracle import Oracle

if TYPE_CHECKING:
    from acemaker.analysis.what_if import Thresholds
    from acemaker.widgets.what_if_slider import WhatIfSlider


class CampaignView(CampaignReader):
    """Adds the common analyses to a reader; each method calls a function of `acemaker.analysis`."""

    def summary(self) -> Summary:
        """Return the summary."""
        summary = super().summary()
        if self.progress.generation is None:
            return summary
        convergence = convergence_of(self, self.progress.steps)
        items = list(summary.items)
        new = [("converged", "yes" if convergence.converged else "not yet")]
        if convergence.assessment is not None:
            new.append(("good enough", convergence.assessment.brief))
        position = len(items) - (items[-1][0] == "failed")
        items[position:position] = new
        return Summary(summary.title, tuple(items), summary.table, summary.strip)

    def rounds(self) -> tuple[Round, ...]:
        """Return a summary of each halt; the first round is that of the first generation."""
        return rounds_of(self)

    def generations(self) -> tuple[KnownGeneration, ...]:
        """Return the accepted generations; two of them can be subtracted: ``generations[4] - generations[3]``."""
        return generations_of(self)

    def label_costs(self) -> LabelCosts:
        """Return the cost of the labels, and the cost of labeling without gamma."""
        return label_costs_of(self)

    def assess(self) -> Assessment:
        """Return the force error that was measured on frames of the run, and whether it meets the target."""
        return assess(self)

    def convergence(self) -> Convergence:
        """Return whether the campaign has converged on the trajectories that were run.

        Returns
        -------
        Convergence
            The criteria; the running segment is included.
        """
        return convergence_of(self)

    def what_if(self, **rule: float | int) -> WhatIf:
        """Return where the recorded run would have halted with another rule.

        Parameters
        ----------
        **rule
            ``threshold_call_dft``, ``threshold_break``, ``smooth_steps``.

        Returns
        -------
        WhatIf

        Raises
        ------
        ConfigError
            For another name, or an invalid rule.
        """
        return what_if_of(self, rule)

    def what_if_slider(self) -> WhatIfSlider | Thresholds:
        """Show `what_if` with sliders for ``threshold_call_dft`` and ``smooth_steps``.

        Returns
        -------
        WhatIfSlider or Thresholds
            A widget in a notebook that is open in a browser; a table of thresholds and a picture elsewhere.
        """
        from acemaker.widgets.what_if_slider import what_if_slider

        return what_if_slider(self.what_if())

    def short_range(self) -> ShortRange:
        """Return energies at distances shorter than any in the training set, and the holes of the potential there.

        Returns
        -------
        ShortRange

        Raises
        ------
        StateError
            If there is no generation yet.
        """
        return short_range_of(self)

    def report(self, accuracy: Accuracy | None = None, file: str | Path | None = None) -> Path:
        """Write a report with text and figures into one self-contained HTML file.

        Parameters
        ----------
        accuracy
            The result of `acemaker.analysis.evaluate_accuracy`, to include it.
        file
            The file to write; ``report.html`` in the campaign's directory if None.

        Returns
        -------
        Path
            The file.
        """
        return write_report(self, accuracy, Path(file) if file is not None else None)

    def evaluate_accuracy(
        self, reference: Sequence[Atoms] | None = None, *, tolerance: float = 100.0, walker: int | None = None
    ) -> Accuracy:
        """Compare the potential with reference frames; see `acemaker.analysis.evaluate_accuracy`."""
        return evaluate_accuracy(self, reference, tolerance=tolerance, walker=walker)

    def predict_force_errors(
        self, structures: Sequence[Atoms] | Atoms | None = None, *, sampled: bool = False
    ) -> ForceErrors:
        """Predict the force error of each atom; see `acemaker.analysis.predict_force_errors`."""
        return predict_force_errors(self, structures, sampled=sampled)

    def calibrate_gamma(
        self,
        held_out: Sequence[Atoms] | str | Path | None = None,
        *,
        tolerance: float = 100.0,
        miss_rate: float = 0.05,
        along: Accuracy | None = None,
    ) -> GammaCalibration:
        """Count misses and false alarms of gamma; see `acemaker.analysis.calibrate_gamma`."""
        return calibrate_gamma(self, held_out, tolerance=tolerance, miss_rate=miss_rate, along=along)

    def compare_properties(
        self,
        properties: Sequence[str] = CHEAP,
        *,
        max_calls: int | None = None,
        oracle: Oracle | None = None,
        allow_code: bool = False,
        progress: bool = False,
    ) -> PropertyComparison:
        """Compare physical properties with the oracle's; see `acemaker.analysis.compare_properties`."""
        return compare_properties(
            self, properties, max_calls=max_calls, oracle=oracle, allow_code=allow_code, progress=progress
        )

    def validate(
        self,
        held_out: Sequence[Atoms] | str | Path | None = None,
        *,
        tolerance: float = 100.0,
        miss_rate: float = 0.05,
        along: Accuracy | None = None,
        properties: Sequence[str] = (),
        max_calls: int | None = None,
        oracle: Oracle | None = None,
        allow_code: bool = False,
        progress: bool = False,
    ) -> Validation:
        """Calibrate gamma, compare properties if asked for, and store both; see `acemaker.analysis.validate`."""
        return validate(
            self,
            held_out,
            tolerance=tolerance,
            miss_rate=miss_rate,
            along=along,
            properties=properties,
            max_calls=max_calls,
            oracle=oracle,
            allow_code=allow_code,
            progress=progress,
        )

    def write_summary(self, accuracy: Accuracy | None = None) -> CampaignSummary:
        """Write ``summary.json`` into the campaign's directory; see `acemaker.analysis.write_summary`."""
        return write_summary(self, accuracy)

    def export(
        self,
        file: str | Path,
        for_: str | None = None,
        *,
        test: float | Sequence[int] = 0.0,
        test_file: str | Path | None = None,
        masked: Masked = "auto",
        overwrite: bool = False,
    ) -> ExportedDataset:
        """Write the labels for MACE, NequIP, GPUMD, pacemaker or ASE; see `acemaker.export.dataset.export_dataset`."""
        return export_dataset(self, file, for_, test=test, test_file=test_file, masked=masked, overwrite=overwrite)

    def export_potential(self, directory: str | Path, *, overwrite: bool = False) -> ExportedPotential:
        """Write the potential in use into a folder; see `acemaker.export.potential.export_potential`."""
        return export_potential(self, directory, overwrite=overwrite)
