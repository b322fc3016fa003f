"""Isolated atoms by the real pw.x: the same energy as a hand-written input, with spin where labels have spin."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms, units
from ase.build import bulk

from acemaker import Campaign, CampaignConfig
from acemaker.oracles.isolated import isolated_atoms_of
from acemaker.oracles.process import make_oracle
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.testing import ToyEngine

real = pytest.mark.skipif(
    shutil.which("pw.x") is None or not Path(DEBIAN).is_dir(),
    reason="no pw.x: apt-get install quantum-espresso quantum-espresso-data",
)

BY_HAND = """\
&control
  calculation = 'scf'
  pseudo_dir = '{folder}'
  outdir = './out'
/
&system
  ibrav = 0
  nat = 1
  ntyp = 1
  ecutwfc = 12
  occupations = 'smearing'
  smearing = 'gauss'
  degauss = 0.01
/
&electrons
  conv_thr = 1e-8
/
ATOMIC_SPECIES
Si 28.0855 Si.pbe-rrkj.UPF
CELL_PARAMETERS angstrom
7.0 0.0 0.0
0.0 7.07 0.0
0.0 0.0 7.14
ATOMIC_POSITIONS angstrom
Si 3.5 3.535 3.57
K_POINTS gamma
"""


def config(tmp_path: Path, **parameters: Any) -> CampaignConfig:
    common = {"oracle": "espresso", "ecutwfc": 12.0, "kspacing": 0.17, "pseudo_dir": DEBIAN, "isolated_box": 7.0}
    small = {"n_functions": 4, "cutoff": 4.0, "nradmax_by_orders": (4,), "lmax_by_orders": (0,), "ensemble": "nvt"}
    return CampaignConfig.from_parameters({**common, **small, "scratch": str(tmp_path / "scratch"), **parameters})


def energy_by_hand(folder: Path) -> float:
    """Return the free energy of pw.x in eV."""
    folder.mkdir()
    (folder / "si.pwi").write_text(BY_HAND.format(folder=DEBIAN))
    output = subprocess.run(["pw.x", "-in", "si.pwi"], cwd=folder, capture_output=True, text=True, check=True).stdout
    (energy,) = re.findall(r"!\s+total energy\s+=\s+(-?\d+\.\d+) Ry", output)
    return float(energy) * units.create_units("2006")["Ry"]


@real
def test_the_reference_energy_is_that_of_an_input_by_hand(tmp_path: Path) -> None:
    settings = config(tmp_path, pseudopotentials={"Si": "Si.pbe-rrkj.UPF"}, n_first=2)
    engine = ToyEngine(200, lambda step, generation: 0.5)
    start = bulk("Si", "diamond", a=5.43)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=engine) as campaign:
        campaign.prepare()
        generation = campaign.generation
        assert generation is not None
        assert generation.energies_from == "isolated atoms"
        assert len(campaign.labeled_structures()) == 2 + 1  # and the start, whose gamma would halt the run
        expected = energy_by_hand(tmp_path / "by_hand")
        assert generation.reference_energies["Si"] == pytest.approx(expected, abs=1e-4)
        (label,) = campaign.labeled_structures()[:1]
        cohesive = generation.reference_energies["Si"] - label.get_potential_energy() / 2
        assert 3 < cohesive < 7  # 5.4 eV by PBE without spin


@real
def test_an_atom_has_spin_where_labels_have_spin(tmp_path: Path) -> None:
    settings = config(tmp_path, pseudopotentials={"H": "H.pz-vbc.UPF"})
    molecule = Atoms("H2", [(0, 0, 0), (0, 0, 3.0)], cell=[8, 8, 8], pbc=True)
    energies = {}
    for name, moments in (("polarized", [1.0, -1.0]), ("not", None)):
        molecule.set_initial_magnetic_moments(moments)
        (atom,) = isolated_atoms_of(settings, molecule)
        label = make_oracle(settings.oracle, ("H",)).label(atom)
        assert label.calc is not None
        energies[name] = label.get_potential_energy()
        if moments:
            assert label.calc.results["magmom"] == pytest.approx(1.0, abs=0.01)
    assert energies["polarized"] < energies["not"] - 0.5
