"""The command ``acemaker parameters``."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap

EPILOG = """\
Each line is what -p of 'acemaker run' takes, with the default.

examples:
  acemaker parameters threshold
  acemaker parameters fs"""


def add_parameters(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of a parser.

    Parameters
    ----------
    commands
        The parser's commands.
    """
    parser = commands.add_parser(
        "parameters",
        help="list the parameters of a campaign, with defaults, meanings and units",
        description="List the parameters of a campaign by section, with defaults, meanings and units.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "word", metavar="WORD", nargs="?", default="", help="only those in whose name or meaning it occurs"
    )


def list_parameters(word: str) -> int:
    """Run the command.

    Parameters
    ----------
    word
        What they have to do with; empty for all.

    Returns
    -------
    int
        The exit status: 1 if there is none.
    """
    from acemaker.config.base import nearest
    from acemaker.config.campaign import parameter_homes
    from acemaker.config.described import parameters
    from acemaker.headless.form import flow

    found = parameters(word)
    if not found:
        sys.stderr.write(
            f"acemaker parameters: none has to do with {word!r}; {nearest(word, list(parameter_homes()))}\n"
        )
        return 1
    width = max(min(shutil.get_terminal_size().columns, 120), 40)
    section, lines = None, list[str]()
    for one in found:
        if one.section != section:
            section = one.section
            lines += [""] * bool(lines) + textwrap.wrap(f"{section or 'campaign'}: {one.heading}", width)
        choices = f"one of {', '.join(map(str, one.choices))}; " if one.choices else ""
        lines.append(f"  {one.name}={flow(one.default)}")
        lines += textwrap.wrap(choices + one.meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
