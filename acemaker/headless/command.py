"""The command ``acemaker run``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

DESCRIPTION = """\
Run a notebook headless. Names, types and ranges of its parameters are checked before it starts; its lines
are shown as they come. The same command again continues the campaign instead of starting over."""

EPILOG = """\
A value is YAML: -p steps=2000 -p 'temperature=[300, 900]' -p structure=Al. Any parameter of a campaign may be
given to a notebook that makes its configuration by CampaignConfig.from_namespace(globals()), also those that
its cell does not list: 'acemaker parameters [WORD]' names them, with defaults and units. Unless 'engine' is
named, such a campaign runs LAMMPS in a child process (engine=isolated); one that exists already keeps its
engine. A relative directory is seen from where the command is given.

examples:
  acemaker run notebooks/otf_campaign.ipynb runs/seed2.ipynb -p seed=2 -p directory=runs/seed2
  acemaker run notebooks/otf_campaign.ipynb runs/cu_ni.ipynb -f notebooks/parameters/cu_ni.yaml

exit status: 0 done, 1 the notebook failed, 2 refused before it was started, 130 Ctrl-C, 143 SIGTERM"""


def add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of a parser.

    Parameters
    ----------
    commands
        The parser's commands.
    """
    parser = commands.add_parser(
        "run",
        help="run a notebook headless, or continue its campaign",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebook", metavar="NOTEBOOK", help="a notebook with one cell tagged 'parameters'")
    parser.add_argument("out", metavar="OUT", help="the executed notebook; its folder is made, and it is overwritten")
    parser.add_argument(
        "-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="a parameter; may be repeated"
    )
    parser.add_argument(
        "-f", "--file", metavar="FILE", action="append", default=[], help="parameters in YAML; later ones win, -p too"
    )


def join_pairs(words: Sequence[str]) -> list[str]:
    """Write papermill's ``-p name value`` as ``-p name=value``.

    Parameters
    ----------
    words
        A command line.

    Returns
    -------
    list of str
    """
    joined, rest = [], list(words)
    while rest:
        joined.append(rest.pop(0))
        if joined[-1] in ("-p", "--parameter") and len(rest) > 1 and rest[0].isidentifier():
            joined.append(f"{rest.pop(0)}={rest.pop(0)}")
    return joined


def run(options: argparse.Namespace) -> int:
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
    try:
        return _run(options)
    except KeyboardInterrupt as error:
        said = str(error) or "stopped by Ctrl-C before it was started"
        return _fail(said, 128 + getattr(error, "number", signal.SIGINT))


def _run(options: argparse.Namespace) -> int:
    from acemaker.errors import AcemakerError, NotebookError
    from acemaker.headless.arguments import gather
    from acemaker.headless.notebook import describe
    from acemaker.headless.run import run_notebook

    try:
        given = gather(describe(options.notebook), options.file, options.parameter)
        run_notebook(options.notebook, options.out, given, told=True)
    except AcemakerError as error:
        return _fail(str(error), 1 if isinstance(error, NotebookError) else 2)
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"acemaker run: {message}\n")
    return status
