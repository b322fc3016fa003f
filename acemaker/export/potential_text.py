"""Text of the files beside a potential: commands of LAMMPS, a calculator of ASE, and a README."""

from __future__ import annotations

from collections.abc import Sequence

from acemaker.analysis.assessment import Assessment
from acemaker.export.validity import Range, Validity
from acemaker.formatting.summary import force_error, number
from acemaker.potentials.generation import CORE, FEW_NEIGHBORS, SOURCES, Generation, pair_commands

FOLDER = "acemaker_potential"
"""LAMMPS variable with the path of the folder."""

LAMMPS_INPUT, GAMMA_INPUT, CALCULATOR, README, ABOUT = (
    "in.potential",
    "in.potential_gamma",
    "ase_calculator.py",
    "README.md",
    "about.json",
)
"""Names of the files."""

CITATION = (
    "R. Drautz, Atomic cluster expansion for accurate and transferable interatomic potentials, "
    "[Phys. Rev. B 99, 014104 (2019)](https://doi.org/10.1103/PhysRevB.99.014104)",
    "Y. Lysogorskiy et al., Performant implementation of the atomic cluster expansion (PACE) and application to copper "
    "and silicon, [npj Comput. Mater. 7, 97 (2021)](https://doi.org/10.1038/s41524-021-00559-9): python-ace and "
    "LAMMPS's ML-PACE",
    "Y. Lysogorskiy, A. Bochkarev, M. Mrovec, R. Drautz, Active learning strategies for atomic cluster expansion "
    "models, [Phys. Rev. Materials 7, 043801 (2023)](https://doi.org/10.1103/PhysRevMaterials.7.043801): gamma",
    "A. P. Thompson et al., LAMMPS - a flexible simulation tool for particle-based materials modeling at the atomic, "
    "meso, and continuum scales, "
    "[Computer Physics Communications 271, 108171 (2022)](https://doi.org/10.1016/j.cpc.2021.108171)",
)
"""Articles to cite for the potential."""

PACEMAKER_CITATION = (
    "A. Bochkarev et al., Efficient parametrization of the atomic cluster expansion, "
    "[Phys. Rev. Materials 6, 013804 (2022)](https://doi.org/10.1103/PhysRevMaterials.6.013804): pacemaker"
)


def lammps_text(generation: Generation, *, gamma: bool) -> str:
    """Return the commands that define the potential in LAMMPS.

    Parameters
    ----------
    generation
        The potential, whose baseline LAMMPS can evaluate.
    gamma
        Whether gamma is computed, too, which is slower.
    """
    types = ", ".join(f"{number} {element}" for number, element in enumerate(generation.elements, start=1))
    name = LAMMPS_INPUT if not gamma else GAMMA_INPUT
    lines = [
        "# the potential that the campaign ran; units metal, LAMMPS with ML-PACE; after the box is defined:",
        f"#   variable {FOLDER} index /path/of/this/folder",
        f"#   include ${{{FOLDER}}}/{name}",
        f"# atom types: {types}",
    ]
    if gamma:
        lines.append("# f_gamma is gamma of each atom every 10 steps; above 5, forces are not to be trusted")
    lines.append(f"variable {FOLDER} index .")
    folder = f"${{{FOLDER}}}/"
    elements = " ".join(generation.elements)
    files = f"{folder}{generation.yaml.name} {folder}{generation.asi.name}" if gamma else folder + generation.yace.name
    style = "pace/extrapolation" if gamma else "pace"
    if generation.baseline is None:
        lines += pair_commands(style, f"{files} {elements}", None)
    else:
        lines += generation.baseline.commands(style, f"{files} {elements}", quote=lambda path: folder + path.name)
    if gamma:
        lines.append("fix gamma all pair 10 pace/extrapolation gamma 1")
    return "\n".join(lines) + "\n"


def reference_commands(generation: Generation) -> list[str]:
    """Return LAMMPS commands that compute the sum of the reference energies, eV."""
    terms = " + ".join(
        f"{generation.reference_energies[element]:.17g}*(type=={number})"
        for number, element in enumerate(generation.elements, start=1)
    )
    return [f'variable reference atom "{terms}"', "compute reference all reduce sum v_reference"]


def calculator_text(generation: Generation) -> str:
    """Return a module with an ASE calculator of the potential.

    Without a baseline it needs python-ace and ASE alone.
    """
    if generation.baseline is not None:
        return f'''"""ASE calculator of this potential over '{generation.baseline.name}'; it needs acemaker."""

from pathlib import Path

from acemaker.potentials.generation import read_generation


def calculator():
    """Return a calculator: energies on the scale of the labels, and results["gamma"]."""
    return read_generation(Path(__file__).parent, {generation.number}).calculator()
'''
    few = generation.few_neighbors
    return f'''"""ASE calculator of this potential; it needs python-ace and ASE.

    from ase_calculator import calculator
    atoms.calc = calculator()
    atoms.get_potential_energy()   # eV, on the scale of the labels
    atoms.calc.results["gamma"]    # above 5, forces are not to be trusted; infinite for atoms with too few neighbors
"""

from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from pyace import PyACECalculator

FOLDER = Path(__file__).parent
REFERENCE_ENERGIES = {generation.reference_energies!r}  # eV per atom
CUTOFF = {generation.cutoff!r}  # Å
FEWEST_NEIGHBORS = {dict(few.limits)!r}  # below, an atom is unknown, whatever gamma of the ACE says
ALONE_IS_KNOWN = {few.alone_is_known!r}  # whether the energy of an atom without neighbors is exact


class Potential(Calculator):
    """The ACE with the reference energies."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]

    def __init__(self):
        super().__init__()
        self.ace = PyACECalculator(str(FOLDER / "{generation.yaml.name}"))
        self.ace.set_active_set(str(FOLDER / "{generation.asi.name}"))

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        """Evaluate a structure."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms.copy()
        structure.set_constraint()
        if structure.pbc.all() and np.linalg.det(structure.cell.array) < 0:  # python-ace refuses left-handed cells
            structure.set_cell(-structure.cell.array, scale_atoms=False)
        structure.calc = self.ace
        energy = structure.get_potential_energy() + sum(REFERENCE_ENERGIES[symbol] for symbol in structure.symbols)
        gamma = np.array(self.ace.results["gamma"])
        if FEWEST_NEIGHBORS:
            counts = np.bincount(neighbor_list("i", structure, CUTOFF), minlength=len(structure))
            few = counts < [FEWEST_NEIGHBORS.get(symbol, 1) for symbol in structure.symbols]
            gamma[few & (counts > 0) if ALONE_IS_KNOWN else few] = np.inf
        self.results = {{"energy": energy, "free_energy": energy, "forces": structure.get_forces(), "gamma": gamma}}
        if structure.pbc.all():
            self.results["stress"] = structure.get_stress()


def calculator():
    """Return a calculator."""
    return Potential()
'''


def readme_text(
    generation: Generation,
    validity: Validity,
    assessment: Assessment,
    *,
    campaign: str,
    oracle: str,
    fingerprint: str,
    versions: Sequence[tuple[str, str]],
    nonlinear: bool,
) -> str:
    """Return the README of the folder.

    Parameters
    ----------
    generation
        The potential.
    validity
        The range in which it was trained.
    assessment
        Its measured error.
    campaign
        Name of the campaign.
    oracle
        Name of the oracle.
    fingerprint
        Fingerprint of the oracle's settings.
    versions
        Packages and their versions.
    nonlinear
        Whether pacemaker fitted it.
    """
    name = generation.name
    elements = ", ".join(generation.elements)
    lines = [
        f"# Potential of {elements}: {campaign}, generation {generation.number}",
        "",
        "An atomic cluster expansion (ACE) that was trained by molecular dynamics with acemaker.",
        "",
        "| file | content |",
        "|---|---|",
    ]
    if generation.baseline is None or generation.baseline.in_lammps:
        lines += [
            f"| `{LAMMPS_INPUT}` | the commands of LAMMPS that the campaign ran, to be included |",
            f"| `{GAMMA_INPUT}` | the same with gamma, the extrapolation grade, which costs time |",
        ]
    lines += [
        f"| `{CALCULATOR}` | a calculator for ASE |",
        f"| `{name}.yace` | the potential for LAMMPS (`pair_style pace`) |",
        f"| `{name}.yaml`, `{name}.asi` | the potential and its active set for python-ace and `pace/extrapolation` |",
        f"| `{name}.json` | description, with which acemaker reads and checks the files |",
        f"| `{ABOUT}` | reference energies, range and errors in this README as numbers |",
    ]
    if generation.error_floor is not None:
        lines.append(f"| `{generation.error_file.name}` | model of force errors, for acemaker |")
    lines += [
        "",
        "## Units and zero of energy",
        "",
        *_energies(generation),
        "",
        "## In LAMMPS",
        "",
        *_lammps(generation),
    ]
    lines += ["", "## In ASE", "", *_ase(generation)]
    lines += ["", "## Range of validity", "", *_range_lines(generation, validity)]
    lines += ["", "## Errors", "", *_errors(generation, assessment)]
    lines += ["", "## Known holes and limits", "", *_holes(generation)]
    lines += ["", "## Origin", "", f"Labels by the oracle `{oracle}` (settings {fingerprint}). "]
    lines[-1] += ", ".join(f"{package} {version}" for package, version in versions) + "."
    cited = [*CITATION, PACEMAKER_CITATION] if nonlinear else list(CITATION)
    lines += ["", "## Please cite", "", *(f"- {article}" for article in cited)]
    lines += [
        "- acemaker, and the program that computed the labels",
        "",
        "python-ace, which created the potential, is under the Academic Software License (non-commercial use).",
    ]
    return "\n".join(lines) + "\n"


def _energies(generation: Generation) -> list[str]:
    energies = ", ".join(f"{element} {energy:.12g}" for element, energy in generation.reference_energies.items())
    lines = [
        "LAMMPS's metal units: eV, Å, ps, bar; ASE: eV, Å, eV/Å, stress in eV/Å³, positive under tension. Energies of",
        f"the potential files are relative to the reference energies {energies} eV per atom",
        f"({SOURCES[generation.energies_from]}). The calculator for ASE adds them, for energies on the scale of the",
        "labels; LAMMPS does not.",
    ]
    if generation.baseline is None or generation.baseline.in_lammps:
        lines += [
            "In LAMMPS, `pe + c_reference` is that energy with",
            "",
            "```lammps",
            *reference_commands(generation),
            "```",
        ]
    return lines


def _lammps(generation: Generation) -> list[str]:
    if generation.baseline is not None and not generation.baseline.in_lammps:
        return [
            f"**Not possible**: the potential is a correction to the calculator `{generation.baseline.name}`, which",
            "LAMMPS cannot evaluate. The `.yace` alone is not the potential.",
        ]
    types = ", ".join(f"{number} {element}" for number, element in enumerate(generation.elements, start=1))
    lines = [
        f"A LAMMPS with ML-PACE (`lmp -h` lists `pace`). The atom types are {types}. After the box is defined:",
        "",
        "```lammps",
        f"variable {FOLDER} index /path/of/this/folder",
        f"include ${{{FOLDER}}}/{LAMMPS_INPUT}",
        "```",
    ]
    if generation.baseline is not None:
        lines += ["", f"The potential is a correction to `{generation.baseline.name}`, which the commands overlay."]
    if generation.core_radii:
        lines += ["", "ML-PACE's library must be of November 2023 or later: the potential contains a core repulsion."]
    return lines


def _ase(generation: Generation) -> list[str]:
    needs = "acemaker" if generation.baseline is not None else "python-ace (`pip install python-ace==0.4.0rc1`)"
    return [
        f"With {needs}, in this folder or with it on `sys.path`:",
        "",
        "```python",
        f"from {CALCULATOR.removesuffix('.py')} import calculator",
        "",
        "atoms.calc = calculator()",
        "```",
    ]


def _range_lines(generation: Generation, validity: Validity) -> list[str]:
    smallest, largest = validity.sizes
    sizes = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    rows = [
        ("training set", f"{validity.n_labels} labels of {sizes} atoms"),
        ("elements", ", ".join(generation.elements)),
    ]
    if len(validity.composition) > 1:
        shares = ", ".join(f"{element} {_span(limits, '', 100)} %" for element, limits in validity.composition.items())
        rows.append(("composition of the labels", shares))
    if validity.density is not None:
        rows.append(("density of the labels", _span(validity.density, "g/cm³")))
    distances = ", ".join(f"{pair.replace('-', '–')} {distance:.2f} Å" for pair, distance in validity.shortest.items())
    rows.append(("shortest distances in the training set", distances or "none"))
    rows.append(("temperature that was set", _span(validity.requested, "K")))
    names = {"temperature": "K", "pressure": "GPa", "density": "g/cm³"}
    rows += [
        (f"{name} of the runs", _span(validity.run[name], unit)) for name, unit in names.items() if name in validity.run
    ]
    rows.append(("runs", f"{validity.steps} steps in all ({', '.join(validity.ensembles)})"))
    rows.append(("cutoff", f"{number(generation.cutoff)} Å"))
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    return [*lines, "Outside of it, watch gamma: above 5, an environment is not like those of the training set."]


def _errors(generation: Generation, assessment: Assessment) -> list[str]:
    verdict = assessment.verdict if assessment.verdict.endswith(".") else f"{assessment.verdict}."
    lines = [f"- On frames of the campaign's own run: {verdict}" if assessment.probes else f"- {verdict}"]
    if generation.cv_forces is not None:
        lines.append(f"- Cross-validated on the labels: {force_error(generation.cv_forces, generation.force_rms)}.")
    if assessment.training_error is not None:
        lines.append(f"- On the training set: {number(assessment.training_error)} meV/Å.")
    if assessment.probes:
        rows = [
            f"| {probe.walker} | {probe.step} | {probe.generation} | {number(probe.force_error)} | "
            f"{number(probe.latest)} | {number(probe.force)} | "
            f"{'–' if probe.energy_error is None else number(probe.energy_error)} | "
            f"{'–' if probe.pressure_error is None else number(probe.pressure_error)} |"
            for probe in assessment.probes
        ]
        lines += [
            "",
            "Probes: force errors of the potential in use, and of this one trained without the probe, beside the",
            "forces themselves (root mean squares of components, meV/Å); errors of the energy in meV/atom, and of the",
            "pressure in GPa.",
            "",
            "| walker | step | generation in use | force error | this one without it | forces | energy | pressure |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    return lines


def _holes(generation: Generation) -> list[str]:
    lines = [f"- Short distances: {generation.short_range}."]
    lines += [f"- {hole.comment()}" for hole in generation.holes or ()]
    if generation.core_radii:
        radii = ", ".join(f"{pair} {radius:g}" for pair, radius in generation.core_radii.items())
        lines.append(f"- {CORE}: {radii} Å.")
    if limits := generation.few_neighbors.limits:
        counts = ", ".join(f"{element} {count}" for element, count in limits.items())
        lines.append(f"- {FEW_NEIGHBORS} {number(generation.cutoff)} Å than: {counts}.")
    return lines


def _span(limits: Range, unit: str, factor: float = 1.0) -> str:
    low, high = (number(limit * factor) for limit in limits)
    return f"{low} {unit}".rstrip() if low == high else f"{low} to {high} {unit}".rstrip()
