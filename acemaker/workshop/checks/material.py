"""Self-checks of notebook 4: your own material."""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms

from acemaker.campaign.view import CampaignView
from acemaker.config import CampaignConfig
from acemaker.config.campaign import parameter_homes
from acemaker.errors import AcemakerError
from acemaker.headless.command import add_run, join_pairs
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, stress_of
from acemaker.structures.geometry import closeness
from acemaker.structures.initial import initial_structure
from acemaker.workshop.answer import NotRightError, NotYetError, as_number, checks, kind

PRESSURE = 5.0
"""Maximum pressure in GPa of a crystal at rest; the lattice constant of another element causes tens of GPa."""

EV_PER_A3 = 160.21766
"""1 eV/Å^3 in GPa."""

CLOSE = 0.65
"""Fraction of the sum of covalent radii below which atoms are too close."""


@checks("Prediction", "compute it, and enter an integer, as prediction = 5")
def first_labels(answer: Any, view: CampaignView) -> str:
    """Compare a guess with the number of labels of the first generation."""
    guess, n_labels = as_number(answer, "the number of initial structures"), len(view.rounds()[0].labels)
    symbols = view.initial_structure().get_chemical_symbols()
    counts = ", ".join(f"{symbols.count(element)} {element}" for element in sorted(set(symbols)))
    reason = f"{view.config.potential.n_functions} functions per element, and a structure contains {counts}"
    if guess != n_labels:
        raise NotRightError(f"the first generation needed {n_labels}: {reason}")
    return f"the first generation needed {n_labels}: {reason}"


@checks("Exercise 1", "replace every ... in material by the value for aluminum")
def material(answer: Any, element: str) -> str:
    """Check that the crystal of these parameters is at rest, by computing its pressure with the oracle."""
    if not isinstance(answer, Mapping):
        raise NotRightError(f"material should be a dict of parameters, got {kind(answer)}")
    try:
        config = CampaignConfig.from_parameters(dict(answer))
        atoms = initial_structure(config.system, np.random.default_rng(0))
        elements = set(atoms.get_chemical_symbols())
        if elements != {element}:
            raise NotRightError(f"the crystal consists of {', '.join(sorted(elements))}, not of {element}")
        labeled = CalculatorOracle.from_config(config.oracle, (element,)).label(atoms)
    except AcemakerError as error:
        raise NotRightError(f"acemaker reports: {error}") from error
    pressure = -EV_PER_A3 * float(stress_of(labeled)[:3].mean())
    if abs(pressure) > PRESSURE:
        relation = "larger" if pressure > 0 else "smaller"
        raise NotRightError(
            f"it runs, but the pressure is {pressure:.0f} GPa: the lattice constant of {element} is {relation}; "
            "see the table"
        )
    energy = energy_of(labeled) / len(atoms)
    return f"{len(atoms)} atoms of {element} at rest: {energy:.3f} eV/atom, {pressure:+.1f} GPa"


@checks("Exercise 2", "write a structure with a vacancy to the file own.extxyz, and assign its path to structure_file")
def structure_file(answer: Any, element: str, n_atoms: int) -> str:
    """Check the structure file of a campaign."""
    from ase.io import read

    path = Path(str(answer))
    if not path.is_file():
        raise NotRightError(f"there is no file {path.name}; did you call atoms.write(structure_file)?")
    try:
        atoms = read(path)
    except Exception as error:  # ASE's readers can raise anything
        raise NotRightError(f"ASE cannot read {path.name}: {error}") from error
    assert isinstance(atoms, Atoms)
    if set(atoms.get_chemical_symbols()) != {element}:
        raise NotRightError(f"it contains {atoms.get_chemical_formula()}, but should contain only {element}")
    if not atoms.pbc.all():
        raise NotRightError("it is not periodic in all directions: create it by bulk(..., cubic=True).repeat(...)")
    if closeness(atoms).share < CLOSE:
        raise NotRightError(f"two of its atoms are {closeness(atoms).distance:.2f} Å apart; is the cell too small?")
    if len(atoms) != n_atoms:
        raise NotRightError(
            f"it has {len(atoms)} atoms; a crystal of {n_atoms + 1} atoms without one of them has {n_atoms}"
        )
    return f"{atoms.get_chemical_formula()}, periodic, nearest pair {closeness(atoms).distance:.2f} Å apart"


@checks("Exercise 3", "write the command as a string: command = 'acemaker run ...'")
def command(answer: Any, expected: Mapping[str, Any]) -> str:
    """Check a command line by acemaker's own parser, without running it."""
    parser = argparse.ArgumentParser(prog="acemaker", exit_on_error=False)
    add_run(parser.add_subparsers(dest="command", required=True))
    try:
        words = shlex.split(str(answer))
    except ValueError as error:
        raise NotRightError(f"a shell cannot read this: {error}") from error
    if words and words[0] == "papermill":
        raise NotRightError("papermill would run it too, but without checking parameters: begin with acemaker run")
    if words[:2] != ["acemaker", "run"]:
        raise NotRightError("it should begin with acemaker run")
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            options = parser.parse_args(join_pairs(words[1:]))
    except (SystemExit, argparse.ArgumentError) as error:
        reason = errors.getvalue().strip().splitlines()[-1:] or [str(error)]
        raise NotRightError(f"acemaker cannot read it: {reason[0]}") from error
    if not options.notebook.endswith("otf_campaign.ipynb"):
        raise NotRightError(f"the notebook to run is otf_campaign.ipynb, not {options.notebook}")
    if not options.out.endswith(".ipynb") or options.out == options.notebook:
        raise NotRightError(f"the second file is the executed notebook, another .ipynb, not {options.out}")
    values = dict(_pair(word) for word in options.parameter)
    homes = parameter_homes()
    for name in values:
        if name not in homes and name != "directory":
            raise NotRightError(f"there is no parameter {name!r}")
    for name, value in expected.items():
        if name not in values:
            raise NotRightError(f"{name} is not set; add: -p {name}=...")
        if values[name] != value:
            raise NotRightError(f"{name} should be {value!r}, a shell would pass {values[name]!r}")
    if "directory" not in values:
        raise NotRightError("without -p directory=... it would run in runs/demo, which may contain another campaign")
    return f"it would run in {values['directory']}, and the same command again would continue it"


def _pair(word: str) -> tuple[str, Any]:
    name, sign, text = word.partition("=")
    if not sign:
        raise NotYetError(f"-p {word}: a parameter must have the form name=value")
    try:
        return name, yaml.safe_load(text)
    except yaml.YAMLError:
        return name, text
