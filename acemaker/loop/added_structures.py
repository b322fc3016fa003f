"""Structures that a user adds to a campaign by hand: what they are, and what is refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes, compare_atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import OracleConfig
from acemaker.errors import AcemakerError, OracleError, StructureError
from acemaker.loop.checks import check_periodicity
from acemaker.loop.labels import structure_key
from acemaker.oracles.checks import check_geometry, check_label, with_plain_results
from acemaker.potentials.environment import check_structure
from acemaker.structures.files import as_written
from acemaker.structures.frames import check_declared_size
from acemaker.structures.supported import check_supported

Structures: TypeAlias = Atoms | str | Path | Iterable[Atoms]
"""What `add` accepts: a structure, several of them, or a file that ASE reads."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """A structure that is added.

    Attributes
    ----------
    atoms : Atoms
        The structure as it is written to a file.
    label : Atoms or None
        The same with the results that the user supplied; None if the oracle has to label it.
    """

    atoms: Atoms
    label: Atoms | None


def read_added(structures: Structures) -> list[Atoms]:
    """Return structures as a list; those of a file are read.

    Raises
    ------
    StructureError
        If there is none, something else is passed, or the file cannot be read.
    """
    if isinstance(structures, str | Path):
        structures = _read(Path(structures).expanduser())
    items = [structures] if isinstance(structures, Atoms) else list(structures)
    if not items or not all(isinstance(item, Atoms) for item in items):
        kinds = ", ".join(sorted({type(item).__name__ for item in items})) or "none"
        raise StructureError(
            f"campaign.add: expected a structure (ase.Atoms), several of them, or a file with structures, got {kinds}"
        )
    return items


def _read(path: Path) -> list[Atoms]:
    from ase.io import read

    try:
        check_declared_size(path)
        frames = read(path, index=":")
    except Exception as error:  # ASE raises many exceptions for files of an unknown format
        raise StructureError(f"campaign.add: {path} cannot be read ({type(error).__name__}: {error})") from error
    return list(frames) if isinstance(frames, list) else [frames]


def checked(
    structures: Sequence[Atoms],
    oracle: OracleConfig,
    elements: Sequence[str],
    labels: Mapping[str, str],
    *,
    use_results: bool = True,
    needs_stress: bool = False,
    is_own_oracle: bool = False,
) -> list[Added]:
    """Check structures and the results that they carry as any label is checked.

    Parameters
    ----------
    structures
        The structures.
    oracle
        Limits of a label, and the oracle that labels structures without results.
    elements
        Elements of the campaign.
    labels
        Names of the labels in force by the hash of their structure, from `structure_key`.
    use_results
        Whether the energy and forces of a ``SinglePointCalculator`` are the label; otherwise, the oracle computes it.
    needs_stress
        Whether results of periodic structures must contain a stress.
    is_own_oracle
        Whether the oracle is an object of the user, which labels whatever it likes.

    Raises
    ------
    StructureError
        Names the first structure that cannot be added, and why.
    """
    added, seen = [], dict(labels)
    for number, atoms in enumerate(structures):
        where = f"campaign.add: structure {number}"
        try:
            plain = atoms.copy()
            plain.set_constraint()
            check_structure(plain, elements)
            check_supported(plain, where)
            results = _results(atoms) if use_results else None
            bare = as_written(plain)
            if results is None and not is_own_oracle:
                check_periodicity(oracle, bare)
                if len(bare) > oracle.max_atoms:
                    raise StructureError(
                        f"expected at most max_atoms={oracle.max_atoms} atoms, got {len(bare)}: cut out a smaller "
                        "cell, or increase it with Campaign.open(..., max_atoms=...)"
                    )
            check_geometry(bare, oracle.min_label_distance)
            label = None if results is None else _label(bare, results, oracle, needs_stress=needs_stress)
        except AcemakerError as error:
            text = str(error)
            raise StructureError(text if text.startswith(where) else f"{where}: {text}") from error
        key = structure_key(bare)
        if key in seen:
            raise StructureError(
                f"{where} equals {seen[key]}, so that it would count twice; omit it, or remove that label first: "
                "campaign.remove(label, reason)"
            )
        seen[key] = f"structure {number}"
        added.append(Added(atoms=bare, label=label))
    return added


def _results(atoms: Atoms) -> dict[str, object] | None:
    """Return energy, forces and stress that a structure carries; None if it carries no results.

    Raises
    ------
    StructureError
        If they are incomplete, or those of other positions.
    """
    calculator = atoms.calc
    if not isinstance(calculator, SinglePointCalculator):
        return None
    results = {name: calculator.results.get(name) for name in ("energy", "forces", "stress")}
    results = {name: value for name, value in results.items() if value is not None}
    if not {"energy", "forces"} & set(results):
        return None
    if missing := {"energy", "forces"} - set(results):
        raise StructureError(
            f"it carries results without {missing.pop()}: add them, or have it labeled by the oracle, "
            "campaign.add(structures, use_results=False)"
        )
    own = calculator.atoms
    changes = compare_atoms(own, atoms, tol=1e-8, excluded_properties={"initial_charges", "initial_magmoms"})
    if own is not None and (changed := sorted(set(changes) & set(all_changes))):
        raise StructureError(
            f"its {', '.join(changed)} changed after its results were computed, which are those of another structure: "
            "compute them again, or campaign.add(structures, use_results=False)"
        )
    return results


def _label(bare: Atoms, results: dict[str, object], oracle: OracleConfig, *, needs_stress: bool) -> Atoms:
    label = bare.copy()
    label.calc = SinglePointCalculator(label, **results)
    check_label(label, oracle.max_force, oracle.max_net_force)
    if needs_stress and bare.pbc.all() and "stress" not in results:
        raise OracleError(
            "its results contain no stress, although the ensemble has a barostat; add it, or have the structure "
            "labeled by the oracle, campaign.add(structures, use_results=False)"
        )
    label = with_plain_results(label)
    label.calc.results["forces"] = np.array(label.calc.results["forces"], dtype=float)
    return label
