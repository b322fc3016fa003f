"""Outputs of VASP in their own format, with the parts that are read, of labels that VASP did not compute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.units import GPa

from acemaker.structures.computed import energy_of, forces_of, stress_of


def outcar(
    labels: Sequence[Atoms],
    *,
    cutoff: float = 400.0,
    iterations: Sequence[int] = (),
    title: str = "PAW_PBE {} 05Jan2001",
) -> str:
    """Return an OUTCAR of an MD run; `iterations` are the electronic iterations of each step, of at most 60."""
    symbols = list(dict.fromkeys(labels[0].get_chemical_symbols()))
    counts = [labels[0].get_chemical_symbols().count(symbol) for symbol in symbols]
    lines = [" vasp.6.3.2 27Jun22 (build Jul 25 2022) complex", ""]
    lines += [f" POTCAR:    {title.format(symbol)}" for symbol in symbols]
    lines += [f"   TITEL  = {title.format(symbol)}" for symbol in symbols]
    lines += [f"   ions per type =              {'  '.join(map(str, counts))}", ""]
    lines += [
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=      4"
    ]
    lines += ["   ISPIN  =      1    spin polarized calculation?", f"   ENCUT  =  {cutoff} eV  29.40 Ry"]
    lines += ["   NELM   =     60;   NELMIN=  2; NELMDL= -5     # of ELM steps", "   GGA     =    --    GGA type", ""]
    lines += [
        " k-points in reciprocal lattice and weights: Gamma",
        "   0.00000000  0.00000000  0.00000000       1.000",
        "",
    ]
    for step, atoms in enumerate(labels, start=1):
        n = iterations[step - 1] if iterations else 12
        lines += [
            f"--------------------------------------- Iteration {step:6d}({i:4d})  ------" for i in range(1, n + 1)
        ]
        lines += ["------------------------ aborting loop because EDIFF is reached ------------------------", ""]
        kbar = -stress_of(atoms)[[0, 1, 2, 5, 3, 4]] / (0.1 * GPa)  # XX YY ZZ XY YZ ZX, positive under compression
        lines += [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  in kB  " + " ".join(f"{value:12.5f}" for value in kbar),
            "",
        ]
        lines += [" VOLUME and BASIS-vectors are now :", f"  volume of cell :     {atoms.get_volume():.2f}"]
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        for vector, reciprocal in zip(atoms.cell.array, atoms.cell.reciprocal(), strict=True):
            lines.append(" ".join(f"{value:14.9f}" for value in (*vector, *reciprocal)))
        lines += ["", " POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 83]
        for position, force in zip(atoms.positions, forces_of(atoms), strict=True):
            lines.append(" ".join(f"{value:13.7f}" for value in (*position, *force)))
        lines += [" " + "-" * 83, "    total drift:        0.000000      0.000000      0.000000", ""]
        energy = energy_of(atoms)
        lines += [
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
        ]
        lines += [f"  free  energy   TOTEN  = {energy:18.8f} eV", ""]
        lines += [f"  energy  without entropy= {energy + 0.1:18.8f}  energy(sigma->0) = {energy + 0.05:18.8f}", ""]
    return "\n".join(lines)


def vasprun(labels: Sequence[Atoms], *, cutoff: float = 400.0, iterations: Sequence[int] = ()) -> str:
    """Return a vasprun.xml of an MD run."""
    first = labels[0]
    symbols = list(dict.fromkeys(first.get_chemical_symbols()))
    parts = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        "<modeling>",
        ' <generator><i name="program">vasp</i></generator>',
    ]
    parts += [f' <incar><i name="ENCUT"> {cutoff:.8f}</i></incar>']
    parts += [' <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray>']
    parts += [' <varray name="weights"><v> 1.0 </v></varray></kpoints>']
    parts += [' <parameters><separator name="electronic">', '  <i type="string" name="PREC">accurate</i>']
    parts += [f'  <i name="ENMAX"> {cutoff:.8f}</i>', '  <i type="int" name="NELM">    60</i>']
    parts += ['  <i type="int" name="ISPIN">     1</i>', " </separator></parameters>"]
    parts += [" <atominfo>", f"  <atoms> {len(first)} </atoms>", f"  <types> {len(symbols)} </types>"]
    parts += ['  <array name="atoms"><dimension dim="1">ion</dimension>', '   <field type="string">element</field>']
    parts += ['   <field type="int">atomtype</field>', "   <set>"]
    parts += [f"    <rc><c>{symbol}</c><c> {symbols.index(symbol) + 1}</c></rc>" for symbol in first.symbols]
    parts += ["   </set></array>", '  <array name="atomtypes"><dimension dim="1">type</dimension><set>']
    for symbol in symbols:
        count = first.get_chemical_symbols().count(symbol)
        parts.append(
            f"   <rc><c>{count}</c><c>{symbol}</c><c>1.0</c><c>4.0</c><c> PAW_PBE {symbol} 05Jan2001 </c></rc>"
        )
    parts += ["  </set></array></atominfo>", _structure(first, "initialpos")]
    for step, atoms in enumerate(labels):
        n, energy = (iterations[step] if iterations else 12), energy_of(atoms)
        energies = f'<energy><i name="e_fr_energy"> {energy:.8f} </i><i name="e_wo_entrp"> {energy + 0.1:.8f} </i>'
        energies += f'<i name="e_0_energy"> {energy + 0.05:.8f} </i></energy>'
        parts += [" <calculation>", *[f"  <scstep>{energies}</scstep>"] * n, _structure(atoms)]
        parts += ['  <varray name="forces">', *map(_vector, forces_of(atoms)), "  </varray>"]
        xx, yy, zz, yz, xz, xy = -stress_of(atoms) / (0.1 * GPa)
        matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        parts += ['  <varray name="stress">', *map(_vector, matrix), "  </varray>", f"  {energies}", " </calculation>"]
    return "\n".join([*parts, _structure(labels[-1], "finalpos"), "</modeling>", ""])


def _structure(atoms: Atoms, name: str = "") -> str:
    named = f' name="{name}"' if name else ""
    basis = "\n".join(map(_vector, atoms.cell.array))
    reciprocal = "\n".join(map(_vector, atoms.cell.reciprocal()))
    positions = "\n".join(map(_vector, atoms.get_scaled_positions(wrap=False)))
    return (
        f' <structure{named}><crystal><varray name="basis">\n{basis}\n</varray><i name="volume"> '
        f'{atoms.get_volume():.8f} </i><varray name="rec_basis">\n{reciprocal}\n</varray></crystal>'
        f'<varray name="positions">\n{positions}\n</varray></structure>'
    )


def _vector(values: np.ndarray) -> str:
    return "<v> " + " ".join(f"{value:.10f}" for value in values) + " </v>"
