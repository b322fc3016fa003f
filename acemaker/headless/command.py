"""The command ``acemaker run``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from acemaker.headless.exit_status import exit_status

DESCRIPTION = """\
Run a notebook headless. Names, types and ranges of its parameters are checked before it starts. Lines that it
prints are shown immediately. The same command again continues the campaign instead of starting over."""

EPILOG = """\
Values are YAML: -p steps=2000 -p 'temperature=[300, 900]' -p structure=Al. A notebook that creates its
configuration by CampaignConfig.from_namespace(globals()) accepts any parameter of a campaign, including those
that its cell does not list; 'acemaker parameters [WORD]' lists them with defaults and units. Unless 'engine' is
set, such a notebook runs LAMMPS in a child process (engine=isolated); an existing campaign keeps its engine. A
relative directory refers to the current directory. If there is no file NOTEBOOK, the notebook of that name
included in acemaker is used; 'acemaker notebooks' lists and copies these notebooks.

examples:
  acemaker run otf_campaign runs/seed2.ipynb -p seed=2 -p directory=runs/seed2
  acemaker run notebooks/otf_campaign.ipynb runs/cu_ni.ipynb -f notebooks/parameters/cu_ni.yaml

exit status: 0 done, 1 the notebook failed, 2 not started because of an error, 130 Ctrl-C, 143 SIGTERM"""


def add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "run",
        help="run a notebook headless, or continue its campaign",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "notebook",
        metavar="NOTEBOOK",
        help="a notebook with one cell tagged 'parameters', or the name of a notebook included in acemaker",
    )
    parser.add_argument("out", metavar="OUT", help="the executed notebook, which is overwritten; its folder is created")
    parser.add_argument(
        "-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="a parameter; can be repeated"
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        action="append",
        default=[],
        help="parameters in YAML; later files take precedence, and -p over all files",
    )


def join_pairs(words: Sequence[str]) -> list[str]:
    """Convert papermill's ``-p name value`` to ``-p name=value``.

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
        Options of the command line.

    Returns
    -------
    int
        The exit status.
    """
    return exit_status("run", lambda: _run(options), "stopped by Ctrl-C before the notebook was started")


def _run(options: argparse.Namespace) -> int:
    from acemaker.headless.notebook import describe
    from acemaker.headless.parameters import gather
    from acemaker.headless.run import run_notebook

    values = gather(describe(options.notebook), options.file, options.parameter)
    run_notebook(options.notebook, options.out, values, summary=True)
    return 0
