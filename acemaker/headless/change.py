"""The commands ``acemaker labels`` and ``acemaker change``: changes of an existing campaign by hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acemaker.headless.exit_status import exit_status

if TYPE_CHECKING:
    from acemaker.loop.runner import CampaignRunner

LABELS = """\
List the labels of a campaign, or add, remove, restore or compute some of them again by hand, while no process runs it
and no label is pending. The potential is then trained again on the labels in force."""

LABELS_EPILOG = """\
NAME is the name of a label's file, such as halt_0003_candidate_000. 'add' takes any file that ASE reads; structures
with energy and forces are labels already, and the oracle labels the others. Files of removed labels stay.

examples:
  acemaker labels runs/cu
  acemaker labels runs/cu add more.extxyz
  acemaker labels runs/cu remove halt_0003_candidate_000 --reason "not converged"
  acemaker labels runs/cu restore halt_0003_candidate_000
  acemaker labels runs/cu relabel               # all that were computed with other settings of the oracle

exit status: 0 done, 2 error, 130 Ctrl-C"""

CHANGE = """\
Change settings of an existing campaign from now on, while no process runs it, and list all changes by hand. A segment
that was interrupted ends at its last checkpoint if it depends on these settings."""

CHANGE_EPILOG = """\
Parameters are those that Campaign.open accepts, in the form of 'acemaker run'. The run continues with the same command
as before, in which the new values must be given, too.

examples:
  acemaker change runs/cu
  acemaker change runs/cu -p threshold_call_dft=8 -p n_select=2
  acemaker change runs/si -p ecutwfc=40         # then: acemaker labels runs/si relabel

exit status: 0 done, 2 error, 130 Ctrl-C"""


def add_changes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    labels = _parser(commands, "labels", "list or change the labels of a campaign by hand", LABELS, LABELS_EPILOG)
    actions = labels.add_subparsers(dest="action", metavar="ACTION")
    add = actions.add_parser("add", help="add the structures of a file")
    add.add_argument("file", metavar="FILE", type=Path, help="structures in any format that ASE reads")
    add.add_argument("--by-oracle", action="store_true", help="have all of them labeled by the oracle")
    remove = actions.add_parser("remove", help="remove labels")
    remove.add_argument("names", metavar="NAME", nargs="+", help="name of a label")
    remove.add_argument("--reason", required=True, help="why, for journal and report")
    restore = actions.add_parser("restore", help="bring back removed labels, or earlier versions of labels")
    restore.add_argument("names", metavar="NAME", nargs="+", help="name of a label")
    relabel = actions.add_parser("relabel", help="have labels computed again")
    relabel.add_argument("names", metavar="NAME", nargs="*", help="name of a label; none for those of other settings")
    change = _parser(commands, "change", "change settings of an existing campaign from now on", CHANGE, CHANGE_EPILOG)
    change.add_argument(
        "-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="a parameter; can be repeated"
    )
    change.add_argument("-f", "--file", metavar="FILE", action="append", default=[], help="parameters in YAML")


def _parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, description: str, epilog: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="directory of the campaign")
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="allow programs and code named in the directory to run here",
    )
    return parser


def labels(options: argparse.Namespace) -> int:
    """Run the command ``labels``.

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
        "labels", lambda: _labels(options), "stopped by Ctrl-C; the campaign completes this when it runs"
    )


def change(options: argparse.Namespace) -> int:
    """Run the command ``change``.

    Parameters
    ----------
    options
        Options of the command line.

    Returns
    -------
    int
        The exit status.
    """
    return exit_status("change", lambda: _change(options))


def _labels(options: argparse.Namespace) -> int:
    if options.action is None:
        from acemaker.loop.attached import AttachedReader
        from acemaker.loop.store import Store

        campaign = AttachedReader(Store(options.directory.resolve()))
        table = campaign.to_dataframe("labels")
        sys.stdout.write(f"{table.to_string(index=False) if len(table) else 'no labels yet'}\n")
        if campaign.changes().changes:
            sys.stdout.write(f"\n{campaign.changes()}\n")
        return 0
    with _opened(options, {}) as opened:
        if options.action == "add":
            revision = opened.add(options.file, use_results=not options.by_oracle)
        elif options.action == "remove":
            revision = opened.remove(options.names, options.reason)
        elif options.action == "restore":
            revision = opened.restore(options.names)
        else:
            revision = opened.relabel(options.names or None)
        sys.stdout.write(f"{revision}\n")
    return 0


def _change(options: argparse.Namespace) -> int:
    from acemaker.headless.parameters import gather
    from acemaker.loop.attached import AttachedReader
    from acemaker.loop.store import Store

    values = gather(None, options.file, options.parameter)
    values.pop("directory", None)
    if values:
        _opened(options, values).close()
    sys.stdout.write(f"{AttachedReader(Store(options.directory.resolve())).changes()}\n")
    return 0


def _opened(options: argparse.Namespace, changes: dict[str, Any]) -> CampaignRunner:
    from acemaker.loop.runner import CampaignRunner

    sys.path.insert(0, "")  # modules in the current folder, as in a notebook
    return CampaignRunner.open(options.directory, allow_code=options.allow_code, **changes)
