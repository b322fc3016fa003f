"""The command ``acemaker check-oracle``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from acemaker.headless.exit_status import exit_status

if TYPE_CHECKING:
    from acemaker.oracles.oracle_check import OracleCheck

DESCRIPTION = """\
Check an oracle by at most nine calls, before a campaign is created: whether energy, forces and stress belong together
and have the right units and signs, whether two labels of one structure are equal, whether the energy of a doubled cell
is twice as large, and isolated atoms. Nothing is written."""

EPILOG = """\
Parameters are those of a campaign ('acemaker parameters oracle' lists them), in the form of 'acemaker run'. The
structure is the one that they define; choose a small one for an expensive oracle: -p 'supercell=[1,1,1]'. With a
campaign's DIRECTORY, its configuration is used.

examples:
  acemaker check-oracle -p oracle=emt -p structure=Al
  acemaker check-oracle -p oracle=./my_oracle.py:make_calculator -p structure=cell.xyz -p 'supercell=[1,1,1]'
  acemaker check-oracle -f parameters.yaml -p 'supercell=[1,1,1]'
  acemaker check-oracle runs/si

exit status: 0 the labels are consistent, 1 labels would be wrong, 2 error, 130 Ctrl-C"""


def add_check_oracle(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "check-oracle",
        help="check an oracle by a few calls: units, signs, forces and stress against the energy",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, nargs="?", help="directory of a campaign")
    parser.add_argument(
        "-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="a parameter; can be repeated"
    )
    parser.add_argument(
        "-f", "--file", metavar="FILE", action="append", default=[], help="parameters in YAML; -p takes precedence"
    )
    parser.add_argument("--no-atoms", action="store_true", help="do not label isolated atoms")
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="allow programs and code named in the directory to run here",
    )


def check_oracle(options: argparse.Namespace) -> int:
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
    return exit_status("check-oracle", lambda: _print(_check(options)))


def _print(check: OracleCheck) -> int:
    sys.stdout.write(f"{check}\none label of {check.n_atoms} atoms took {check.seconds:.3g} s\n")
    return 0 if check.passed else 1


def _check(options: argparse.Namespace) -> OracleCheck:
    from acemaker.analysis import oracle_check
    from acemaker.config import CampaignConfig
    from acemaker.errors import ConfigError
    from acemaker.headless.parameters import gather
    from acemaker.loop.attached import AttachedReader
    from acemaker.loop.store import Store

    values = gather(None, options.file, options.parameter)
    values.pop("directory", None)
    if options.directory is not None and values:
        raise ConfigError(
            "expected a campaign's directory or parameters, got both; the directory has its configuration"
        )
    if options.directory is not None:
        subject: AttachedReader | CampaignConfig = AttachedReader(Store(options.directory.resolve()))
    else:
        sys.path.insert(0, "")  # modules in the current folder, as in a notebook
        subject = CampaignConfig.from_parameters(values)
    return oracle_check.check_oracle(subject, isolated=not options.no_atoms, allow_code=options.allow_code)
