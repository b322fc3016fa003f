"""What the guard sees of wrong labels: python benchmarks/guard.py.

Copper, rattled by 0.12 Å, and one label that lies further out, rattled by 0.2 Å: honest, or wrong in one way. The
figure is the median over the folds by which the cross-validated force error of the known structures rises.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from outcome import Outcome

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear_trainer import LinearTrainer

ORACLE = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * Cu_mishin1.eam.alloy Cu",))
BASES = {
    "30 functions": PotentialConfig(n_functions=30, cutoff=5.0, nradmax_by_orders=(8, 4, 2), lmax_by_orders=(0, 3, 1)),
    "100 functions": PotentialConfig(),
}
KINDS = ("honest", "other atoms' forces", "the same, times 30", "+1 eV/atom", "+0.1 eV/atom", "forces +-0.3 eV/Å")


def spoil(label: Atoms, kind: str) -> None:
    """Make a label wrong."""
    assert label.calc is not None
    results = label.calc.results
    if kind == "other atoms' forces":
        results["forces"] = np.roll(results["forces"], 5, axis=0)
    elif kind == "the same, times 30":
        results["forces"] = 30 * np.roll(results["forces"], 5, axis=0)
    elif kind.endswith("eV/atom"):
        results["energy"] += float(kind.split()[0]) * len(label)
    elif kind == "forces +-0.3 eV/Å":
        results["forces"] = results["forces"] + np.random.default_rng(0).normal(scale=0.3, size=(len(label), 3))


def main() -> None:
    """Print the ratios, and fail if an honest label is rejected or a grossly wrong one is not."""
    outcome = Outcome("What the guard sees of wrong labels", seeds=(0,))
    oracle = CalculatorOracle.from_config(ORACLE, ("Cu",))
    rng = np.random.default_rng(0)

    def labeled(scale: float) -> Atoms:
        atoms = bulk("Cu", "fcc", a=3.615 * rng.uniform(0.97, 1.03), cubic=True).repeat(2)
        atoms.positions += rng.normal(scale=scale, size=atoms.positions.shape)
        return oracle.label(atoms)

    known, new = [labeled(0.12) for _ in range(20)], labeled(0.2)
    honest_taken, gross_rejected = True, True
    outcome.table(
        {"basis": "", "labels": "d"} | dict.fromkeys(KINDS, ""),
        "By how much the cross-validated force error of the known structures rises",
    )
    for name, config in BASES.items():
        for n_known in (5, 20):
            ratios = []
            for kind in KINDS:
                trainer = LinearTrainer(config, ["Cu"])
                label = new.copy()
                label.calc = type(new.calc)(new, **{k: np.copy(v) for k, v in new.calc.results.items()})
                spoil(label, kind)
                with tempfile.TemporaryDirectory() as folder:
                    options: dict[str, Any] = {"directory": Path(folder), "halted": None, "gamma_limit": 2.0}
                    first = trainer.train(known[:n_known], number=1, predecessor=None, **options).generation
                    training = trainer.train([label], number=2, predecessor=first, **options)
                ratios.append(f"{training.comparison.ratio:.3g}{'' if training.accepted else ' rejected'}")
                if kind == "honest":
                    honest_taken &= training.accepted
                if kind in ("other atoms' forces", "the same, times 30"):
                    gross_rejected &= not training.accepted
            outcome.row(name, n_known, *ratios)
    outcome.must("an honest label is never rejected", honest_taken)
    outcome.must("a label with the forces of other atoms is always rejected", gross_rejected)
    outcome.finish()


if __name__ == "__main__":
    main()
