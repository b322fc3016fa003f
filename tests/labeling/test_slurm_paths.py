"""SLURM jobs of campaigns in directories with letters beyond ASCII; ``sbatch`` runs the script at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.errors import ConfigError

pytest.importorskip("pysqa")
pytest.importorskip("executorlib")

SBATCH = """#!/bin/bash
script="${!#}"
cd "$(sed -n 's/^#SBATCH --chdir=//p' "$script")" && bash "$script" > slurm.out 2>&1
echo 1
"""


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", "#!/bin/sh\n"), ("scancel", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def settings() -> CampaignConfig:
    return CampaignConfig(
        system={"structure": "Cu", "supercell": (2, 2, 2), "n_first": 2},
        potential={"n_functions": 12, "cutoff": 4.0, "nradmax_by_orders": (6, 3, 2), "lmax_by_orders": (0, 2, 1)},
        oracle={"oracle": "emt"},
        labeling={"executor": "slurm"},
    )


@pytest.mark.usefixtures("sbatch")
def test_letters_of_any_language_are_accepted(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "Müller-研究_Łódź" / "c", settings()) as campaign:
        campaign.prepare()
        assert len(campaign.labeled_structures()) == 2


@pytest.mark.usefixtures("sbatch")
@pytest.mark.parametrize("name", ["a b", "a'b", "$HOME", "a;b", "(a)", "a*"])
def test_what_a_shell_interprets_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"would have to quote.*use a directory and an environment whose paths"):
        Campaign.create(tmp_path / name / "c", settings())
    assert not (tmp_path / name).exists()
