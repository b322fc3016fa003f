"""The commands ``acemaker export`` and ``acemaker export-potential``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from acemaker.headless.exit_status import exit_status

if TYPE_CHECKING:
    from acemaker.loop.attached import AttachedReader

DATASET = """\
Write the labels of a campaign in the form in which another program reads them: MACE, NequIP (Allegro), GPUMD (NEP),
pacemaker, or ASE. The campaign is only read, and may be running."""

DATASET_EPILOG = """\
The ending of FILE decides on the format: .extxyz or .xyz, .db (ASE database), .pckl.gzip (pacemaker's data frame).
Labels of one halt are variations of one structure; they are either all in the training set or all in the test set.
Beside FILE, FILE.provenance.json lists the settings of the oracle, units, reference energies, and what was left out.

examples:
  acemaker export runs/cu data.extxyz
  acemaker export runs/cu train.xyz --for mace --test 0.2
  acemaker export runs/cu train.xyz --for nep --test-halts 3 7
  acemaker export runs/cu data.pckl.gzip

exit status: 0 done, 2 error, 130 Ctrl-C"""

POTENTIAL = """\
Write the potential in use of a campaign into a folder of its own: .yace, .yaml, .asi and the files of a baseline,
in.potential for LAMMPS, a calculator for ASE, and a README with units, reference energies, range of validity, errors,
known holes and citations. The campaign is only read, and may be running."""

POTENTIAL_EPILOG = """\
examples:
  acemaker export-potential runs/cu copper_potential

exit status: 0 done, 2 error, 130 Ctrl-C"""


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    dataset = commands.add_parser(
        "export",
        help="write the labels of a campaign for MACE, NequIP, GPUMD, pacemaker or ASE",
        description=DATASET,
        epilog=DATASET_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    dataset.add_argument("directory", metavar="DIRECTORY", type=Path, help="directory of the campaign")
    dataset.add_argument("file", metavar="FILE", type=Path, help="file of the training set")
    dataset.add_argument(
        "--for", dest="for_", metavar="PROGRAM", help="ase (default), mace, nequip, allegro, nep, gpumd or pacemaker"
    )
    share = dataset.add_mutually_exclusive_group()
    share.add_argument("--test", metavar="X", type=float, default=0.0, help="share of the labels in the test set (0)")
    share.add_argument("--test-halts", metavar="HALT", type=int, nargs="+", help="halts that are the test set")
    dataset.add_argument("--test-file", metavar="FILE", type=Path, help="file of the test set")
    dataset.add_argument(
        "--masked",
        choices=("auto", "whole"),
        default="auto",
        help="labels of embedded cells: told to the program or left out (auto), or as labels of the small cell (whole)",
    )
    dataset.add_argument("--overwrite", action="store_true", help="replace existing files")
    potential = commands.add_parser(
        "export-potential",
        help="write a campaign's potential into a folder, for LAMMPS, ASE and other people",
        description=POTENTIAL,
        epilog=POTENTIAL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    potential.add_argument("directory", metavar="DIRECTORY", type=Path, help="directory of the campaign")
    potential.add_argument("folder", metavar="FOLDER", type=Path, help="folder to create")
    potential.add_argument("--overwrite", action="store_true", help="replace an earlier export in the folder")


def export(options: argparse.Namespace) -> int:
    """Run ``acemaker export``.

    Parameters
    ----------
    options
        Options of the command line.

    Returns
    -------
    int
        The exit status.
    """
    return exit_status("export", lambda: _export(options))


def export_potential(options: argparse.Namespace) -> int:
    """Run ``acemaker export-potential``.

    Parameters
    ----------
    options
        Options of the command line.

    Returns
    -------
    int
        The exit status.
    """
    return exit_status("export-potential", lambda: _export_potential(options))


def _export(options: argparse.Namespace) -> int:
    from acemaker.export.dataset import export_dataset

    result = export_dataset(
        _campaign(options.directory),
        options.file,
        options.for_,
        test=options.test if options.test_halts is None else options.test_halts,
        test_file=options.test_file,
        masked=options.masked,
        overwrite=options.overwrite,
    )
    sys.stdout.write(f"{result}\n")
    return 0


def _export_potential(options: argparse.Namespace) -> int:
    from acemaker.export import potential

    result = potential.export_potential(_campaign(options.directory), options.folder, overwrite=options.overwrite)
    sys.stdout.write(f"{result}\n")
    return 0


def _campaign(directory: Path) -> AttachedReader:
    from acemaker.loop.attached import AttachedReader
    from acemaker.loop.store import Store

    return AttachedReader(Store(directory.resolve()))
