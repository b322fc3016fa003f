"""The command ``acemaker train-committee``."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from acemaker.headless.exit_status import exit_status

DESCRIPTION = """\
Train a committee on all labels of a campaign: MACE models, or those of committee_trainer. The models are stored in the
folder 'committee' of the directory. A campaign with uncertainty=mace, or a factory of its own with a committee_trainer,
uses them from its next segment on."""

EPILOG = """\
MACE runs in an environment of its own: make mace, or -p committee_environment=DIR.

examples:
  acemaker train-committee runs/cu
  acemaker train-committee runs/cu -p committee_size=4 -p 'committee_options={num_channels: 32}'

exit status: 0 done, 2 error, 130 Ctrl-C; the same command again continues with the models that are complete"""


def add_train_committee(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "train-committee",
        help="train a committee, of MACE by default, on the labels of a campaign",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="directory of the campaign")
    parser.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a new value of committee_size, committee_options, ...; can be repeated",
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="allow programs and code named in the directory to run here",
    )


def train_committee(options: argparse.Namespace) -> int:
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
    return exit_status(
        "train-committee", lambda: _train(options), "stopped by Ctrl-C; models that are complete are not trained again"
    )


def _train(options: argparse.Namespace) -> int:
    from acemaker.headless.parameters import gather
    from acemaker.loop.runner import CampaignRunner

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.path.insert(0, "")  # modules in the current folder, as in a notebook
    changes = gather(None, [], options.parameter)
    with CampaignRunner.open(options.directory, allow_code=options.allow_code, **changes) as campaign:
        sys.stdout.write(f"{campaign.train_committee()}\n")
    return 0
