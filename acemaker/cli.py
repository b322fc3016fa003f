"""The command ``acemaker``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from acemaker.headless.command import add_run, join_pairs, run
from acemaker.headless.listing import add_parameters, list_parameters
from acemaker.headless.validate import add_trust, trust


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Those of the command line, if None.

    Returns
    -------
    int
        0 if all is well.
    """
    parser = argparse.ArgumentParser(
        prog="acemaker", description="Molecular dynamics that trains its own ACE potential on the fly."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="say what is installed, and whether it works together")
    add_run(commands)
    add_trust(commands)
    add_parameters(commands)
    options = parser.parse_args(join_pairs(sys.argv[1:] if arguments is None else arguments))
    if options.command == "run":
        return run(options)
    if options.command == "trust":
        return trust(options)
    if options.command == "parameters":
        return list_parameters(options.word)
    from acemaker.health import doctor

    health = doctor()
    sys.stdout.write(f"{health}\n")
    return 0 if health.healthy else 1
