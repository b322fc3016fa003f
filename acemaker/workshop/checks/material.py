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
"""GPa, up to which a crystal counts as at rest: the lattice constant of another element makes tens."""

EV_PER_A3 = 160.21766
"""GPa."""

CLOSE = 0.65
"""Share of the sum of covalent radii, below which atoms are too close."""


@checks("Prediction", "work it out, and give a whole number, as prediction = 5")
def first_labels(answer: Any, view: CampaignView) -> str:
    """Compare a guess with the number of labels of generation 0."""
    guess, true = as_number(answer, "the number of first structures"), len(view.rounds()[0].labels)
    symbols = view.initial.get_chemical_symbols()
    counts = ", ".join(f"{symbols.count(element)} {element}" for element in sorted(set(symbols)))
    why = f"{view.config.potential.n_functions} functions an element, and a structure holds {counts}"
    if guess != true:
        raise NotRightError(f"generation 0 took {true}: {why}")
    return f"generation 0 took {true}: {why}"


@checks("Exercise 1", "replace every ... in material by what aluminium needs")
def material(answer: Any, element: str) -> str:
    """Check the parameters of a crystal by the oracle itself: at the lattice constant it has to be at rest."""
    if not isinstance(answer, Mapping):
        raise NotRightError(f"material should stay a dict of parameters, it is {kind(answer)}")
    try:
        config = CampaignConfig.from_parameters(dict(answer))
        atoms = initial_structure(config.system, np.random.default_rng(0))
        found = set(atoms.get_chemical_symbols())
        if found != {element}:
            raise NotRightError(f"the crystal is made of {', '.join(sorted(found))}, not of {element}")
        labelled = CalculatorOracle.from_config(config.oracle, (element,)).label(atoms)
    except AcemakerError as error:
        raise NotRightError(f"acemaker says: {error}") from error
    pressure = -EV_PER_A3 * float(stress_of(labelled)[:3].mean())
    if abs(pressure) > PRESSURE:
        way = "larger" if pressure > 0 else "smaller"
        raise NotRightError(
            f"it runs, but under {pressure:.0f} GPa: this lattice constant is not that of {element}, which is {way}; "
            "see the table"
        )
    energy = energy_of(labelled) / len(atoms)
    return f"{len(atoms)} atoms of {element} at rest: {energy:.3f} eV/atom, {pressure:+.1f} GPa"


@checks("Exercise 2", "write a structure with a vacancy to the file own.extxyz, and name it in structure_file")
def structure_file(answer: Any, element: str, n_atoms: int) -> str:
    """Check a structure file that a campaign is to start from."""
    from ase.io import read

    path = Path(str(answer))
    if not path.is_file():
        raise NotRightError(f"there is no file {path.name}; did you call atoms.write(structure_file)?")
    try:
        atoms = read(path)
    except Exception as error:  # whatever ASE's readers raise
        raise NotRightError(f"ASE cannot read {path.name}: {error}") from error
    assert isinstance(atoms, Atoms)
    if set(atoms.get_chemical_symbols()) != {element}:
        raise NotRightError(f"it holds {atoms.get_chemical_formula()}, and {element} alone was asked for")
    if not atoms.pbc.all():
        raise NotRightError("it is not periodic in all directions: build it by bulk(..., cubic=True).repeat(...)")
    if closeness(atoms).share < CLOSE:
        raise NotRightError(f"two of its atoms are {closeness(atoms).distance:.2f} Å apart; is the cell too small?")
    if len(atoms) != n_atoms:
        raise NotRightError(
            f"it has {len(atoms)} atoms; a {n_atoms + 1}-atom crystal without one of them has {n_atoms}"
        )
    return f"{atoms.get_chemical_formula()}, periodic, nearest pair {closeness(atoms).distance:.2f} Å apart"


@checks("Exercise 3", "write the command as a text: command = 'acemaker run ...'")
def command(answer: Any, wanted: Mapping[str, Any]) -> str:
    """Check a command line by acemaker's own parser, without running it."""
    parser = argparse.ArgumentParser(prog="acemaker", exit_on_error=False)
    add_run(parser.add_subparsers(dest="command", required=True))
    try:
        words = shlex.split(str(answer))
    except ValueError as error:
        raise NotRightError(f"a shell could not read this: {error}") from error
    if words and words[0] == "papermill":
        raise NotRightError("papermill would run it, too, but checks nothing first: begin with acemaker run")
    if words[:2] != ["acemaker", "run"]:
        raise NotRightError("it should begin with acemaker run")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = parser.parse_args(join_pairs(words[1:]))
    except (SystemExit, argparse.ArgumentError) as error:
        reason = said.getvalue().strip().splitlines()[-1:] or [str(error)]
        raise NotRightError(f"acemaker could not read it: {reason[0]}") from error
    if not options.notebook.endswith("otf_campaign.ipynb"):
        raise NotRightError(f"the notebook to run is otf_campaign.ipynb, not {options.notebook}")
    if not options.out.endswith(".ipynb") or options.out == options.notebook:
        raise NotRightError(f"the second file is the executed notebook, another .ipynb, not {options.out}")
    given = dict(_pair(word) for word in options.parameter)
    homes = parameter_homes()
    for name in given:
        if name not in homes and name != "directory":
            raise NotRightError(f"there is no parameter {name!r}")
    for name, value in wanted.items():
        if name not in given:
            raise NotRightError(f"{name} is not set; add: -p {name}=...")
        if given[name] != value:
            raise NotRightError(f"{name} should be {value!r}, a shell would hand over {given[name]!r}")
    if "directory" not in given:
        raise NotRightError("without -p directory=... it would go on in runs/demo, where another campaign may live")
    return f"it would run into {given['directory']}, and the same command again would continue it"


def _pair(word: str) -> tuple[str, Any]:
    name, sign, text = word.partition("=")
    if not sign:
        raise NotYetError(f"-p {word}: a parameter is given as name=value")
    try:
        return name, yaml.safe_load(text)
    except yaml.YAMLError:
        return name, text
