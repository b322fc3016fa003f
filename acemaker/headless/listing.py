"""The command ``acemaker parameters``."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap

EPILOG = """\
Each line has the form that -p of 'acemaker run' accepts, with the default value.

examples:
  acemaker parameters threshold
  acemaker parameters fs"""


def add_parameters(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "parameters",
        help="list the parameters of a campaign, with defaults, meanings and units",
        description="List the parameters of a campaign by section, with defaults, meanings and units.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "word", metavar="WORD", nargs="?", default="", help="text that must occur in the name or the meaning"
    )


def list_parameters(word: str) -> int:
    """Run the command.

    Parameters
    ----------
    word
        Text in the name, the meaning or the choices of the parameters; empty for all.

    Returns
    -------
    int
        The exit status: 1 if no parameter matches.
    """
    from acemaker.config.base import nearest
    from acemaker.config.campaign import parameter_homes
    from acemaker.config.described import parameters
    from acemaker.headless.form import flow

    matches = parameters(word)
    if not matches:
        sys.stderr.write(
            f"acemaker parameters: no parameter matches {word!r}; {nearest(word, list(parameter_homes()))}\n"
        )
        return 1
    width = max(min(shutil.get_terminal_size().columns, 120), 40)
    section, lines = None, list[str]()
    for parameter in matches:
        if parameter.section != section:
            section = parameter.section
            lines += [""] * bool(lines) + textwrap.wrap(f"{section or 'campaign'}: {parameter.heading}", width)
        choices = f"One of {', '.join(map(str, parameter.choices))}. " if parameter.choices else ""
        lines.append(f"  {parameter.name}={flow(parameter.default)}")
        lines += textwrap.wrap(choices + parameter.meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
