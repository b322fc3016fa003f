"""The command ``acemaker validate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from acemaker.headless.exit_status import exit_status

DESCRIPTION = """\
Validate the potential of a campaign against the oracle: whether gamma detects its errors (misses, false alarms, a
recommended threshold), and its physical properties. The campaign itself is not changed; results are written to its
folder 'validation' and included in its report."""

EPILOG = """\
Without --held-out, gamma is validated along a trajectory of the oracle if it is LAMMPS, else on the labels computed
after each generation. --properties without names computes all properties except the liquid. Oracle calls are counted
and listed before they start; if there are more than --max-calls (20, unless the oracle is emt or lammps), none starts.
Results are saved, so that the same command again continues.

examples:
  acemaker validate runs/demo
  acemaker validate runs/demo --properties
  acemaker validate runs/demo --properties lattice liquid --tolerance 30
  acemaker validate runs/si --held-out test.extxyz --properties equation_of_state --max-calls 50

exit status: 0 done, 2 error, 130 Ctrl-C"""


def add_validate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "validate",
        help="validate a campaign's potential: misses and false alarms of gamma, physical properties",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="directory of the campaign")
    parser.add_argument("--held-out", metavar="FILE", type=Path, help="labeled structures not used for training")
    parser.add_argument(
        "--tolerance",
        metavar="X",
        type=float,
        default=100.0,
        help="force error in meV/Å above which a force counts as wrong (100)",
    )
    parser.add_argument(
        "--miss-rate",
        metavar="X",
        type=float,
        default=0.05,
        help="fraction of atoms with wrong forces that gamma may miss (0.05)",
    )
    parser.add_argument("--properties", metavar="PROPERTY", nargs="*", help="equation_of_state, lattice, ... or 'all'")
    parser.add_argument("--max-calls", metavar="N", type=int, help="maximum number of oracle calls")
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="allow programs and code named in the directory to run here",
    )


def validate(options: argparse.Namespace) -> int:
    """Run the command.

    Parameters
    ----------
    options
        Options of the command line.

    Returns
    -------
    int
        The exit status.
    """
    return exit_status("validate", lambda: _validate(options), "stopped by Ctrl-C; results so far are saved")


def _validate(options: argparse.Namespace) -> int:
    from acemaker.analysis import validation
    from acemaker.analysis.properties import ALL, CHEAP
    from acemaker.loop.attached import AttachedReader
    from acemaker.loop.store import Store

    names = options.properties
    properties = () if names is None else ALL if "all" in names else tuple(names) or CHEAP
    campaign = AttachedReader(Store(options.directory.resolve()))
    result = validation.validate(
        campaign,
        options.held_out,
        tolerance=options.tolerance,
        miss_rate=options.miss_rate,
        properties=properties,
        max_calls=options.max_calls,
        allow_code=options.allow_code,
        progress=True,
    )
    folder = campaign.directory / "validation"
    for name, part in (("gamma", result.gamma), ("properties", result.properties)):
        if part is not None:
            part.figure().savefig(folder / f"{name}.png", dpi=100)
            sys.stdout.write(f"{part}\n\n")
    sys.stdout.write(f"{result}\nfigures are in {folder}\n")
    return 0
