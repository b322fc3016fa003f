"""The command ``acemaker``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from acemaker.headless.change import add_changes, change, labels
from acemaker.headless.check_oracle import add_check_oracle, check_oracle
from acemaker.headless.command import add_run, join_pairs, run
from acemaker.headless.export import add_export, export, export_potential
from acemaker.headless.listing import add_parameters, list_parameters
from acemaker.headless.shipped import add_notebooks, notebooks
from acemaker.headless.train_committee import add_train_committee, train_committee
from acemaker.headless.validate import add_validate, validate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Arguments; None for those of the command line.

    Returns
    -------
    int
        Exit status: 0 for success.
    """
    parser = argparse.ArgumentParser(
        prog="acemaker", description="Molecular dynamics that trains its own ACE potential on the fly."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "doctor", help="check which libraries and programs are installed, and whether they work together"
    )
    add_run(commands)
    add_validate(commands)
    add_check_oracle(commands)
    add_train_committee(commands)
    add_export(commands)
    add_changes(commands)
    add_parameters(commands)
    add_notebooks(commands)
    options = parser.parse_args(join_pairs(sys.argv[1:] if arguments is None else arguments))
    if options.command == "run":
        return run(options)
    if options.command == "validate":
        return validate(options)
    if options.command == "check-oracle":
        return check_oracle(options)
    if options.command == "export":
        return export(options)
    if options.command == "export-potential":
        return export_potential(options)
    if options.command == "train-committee":
        return train_committee(options)
    if options.command == "labels":
        return labels(options)
    if options.command == "change":
        return change(options)
    if options.command == "parameters":
        return list_parameters(options.word)
    if options.command == "notebooks":
        return notebooks(options)
    from acemaker.health import doctor

    health = doctor()
    sys.stdout.write(f"{health}\n")
    return 0 if health.healthy else 1
