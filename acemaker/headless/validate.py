"""The command ``acemaker trust``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

DESCRIPTION = """\
Judge a campaign's potential: does gamma see its errors (misses, false alarms, a recommended threshold), and what does
it say of physics, against the oracle. The campaign is only looked at; what comes of it is written into its folder
'trust', and told by its report."""

EPILOG = """\
Without --held-out, gamma is judged along a trajectory of the oracle's own where that is LAMMPS, else on the labels
that came after each generation. --physics alone measures all but the liquid. Oracle calls are counted and listed before
they are made; above --max-calls (20, unless the oracle is emt or lammps) nothing is asked. What was paid for is kept:
the same command again goes on.

examples:
  acemaker trust runs/demo
  acemaker trust runs/demo --physics
  acemaker trust runs/demo --physics lattice liquid --tolerance 30
  acemaker trust runs/si --held-out test.extxyz --physics equation_of_state --max-calls 50

exit status: 0 judged, 2 refused, 130 Ctrl-C"""


def add_trust(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of a parser.

    Parameters
    ----------
    commands
        The parser's commands.
    """
    parser = commands.add_parser(
        "trust",
        help="judge a campaign's potential: misses and false alarms of gamma, physics against the oracle",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="the campaign's")
    parser.add_argument("--held-out", metavar="FILE", type=Path, help="labelled structures that it never saw")
    parser.add_argument(
        "--tolerance", metavar="X", type=float, default=100.0, help="meV/Å, above which a force is wrong (100)"
    )
    parser.add_argument(
        "--miss-rate", metavar="X", type=float, default=0.05, help="share of wrong atoms that may be missed (0.05)"
    )
    parser.add_argument("--physics", metavar="PROPERTY", nargs="*", help="equation_of_state, lattice, ... or 'all'")
    parser.add_argument("--max-calls", metavar="N", type=int, help="oracle calls that may be made")
    parser.add_argument(
        "--trust-directory", action="store_true", help="your word that what the directory names may be run here"
    )


def trust(options: argparse.Namespace) -> int:
    """Run the command.

    Parameters
    ----------
    options
        Of the command line.

    Returns
    -------
    int
        The exit status.
    """
    from acemaker.errors import AcemakerError

    try:
        _trust(options)
    except AcemakerError as error:
        sys.stderr.write(f"acemaker trust: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("acemaker trust: stopped by Ctrl-C; what was measured is kept\n")
        return 130
    return 0


def _trust(options: argparse.Namespace) -> None:
    from acemaker.analysis.properties import ALL, CHEAP
    from acemaker.analysis.validation_record import verdict
    from acemaker.loop.attached import AttachedReader
    from acemaker.loop.store import Store

    asked = options.physics
    properties = () if asked is None else ALL if "all" in asked else tuple(asked) or CHEAP
    campaign = AttachedReader(Store(options.directory.resolve()))
    judged = verdict(
        campaign,
        options.held_out,
        tolerance=options.tolerance,
        miss_rate=options.miss_rate,
        properties=properties,
        max_calls=options.max_calls,
        trust=options.trust_directory,
        progress=True,
    )
    folder = campaign.directory / "trust"
    for name, part in (("gamma", judged.gamma), ("physics", judged.physics)):
        if part is not None:
            part.figure().savefig(folder / f"{name}.png", dpi=100)
            sys.stdout.write(f"{part}\n\n")
    sys.stdout.write(f"{judged}\npictures are in {folder}\n")
