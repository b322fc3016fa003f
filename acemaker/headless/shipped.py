"""The notebooks and parameter files included in acemaker, and the command ``acemaker notebooks``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from acemaker.errors import ConfigError
from acemaker.utils.atomic_write import write_whole

DESCRIPTION = """\
Copy the notebooks and parameter files included in acemaker into a folder. Without DIR, list them."""

EPILOG = """\
'acemaker run' also accepts the listed names of notebooks, and 'acemaker run -f' those of parameter files.

examples:
  acemaker notebooks
  acemaker notebooks my_notebooks
  acemaker run otf_campaign runs/cu_ni.ipynb -f parameters/cu_ni.yaml

exit status: 0 done, 2 an error"""

NOTEBOOK, PARAMETERS = ".ipynb", ".yaml"


def shipped_folder() -> Path:
    """Find the folder of the included notebooks.

    Returns
    -------
    Path
        A folder of the installed package or, in a checkout with an editable installation, the one beside the package.

    Raises
    ------
    ConfigError
        If the installation has no notebooks.
    """
    package = Path(str(files("acemaker")))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        # in site-packages, a folder "notebooks" beside acemaker would belong to another package
        if (folder / f"otf_campaign{NOTEBOOK}").is_file():
            return folder
    raise ConfigError(f"the installation of acemaker in {package} has no notebooks; reinstall acemaker with pip")


def shipped(suffix: str = NOTEBOOK) -> dict[str, Path]:
    """List the included notebooks or parameter files.

    Parameters
    ----------
    suffix
        `NOTEBOOK` or `PARAMETERS`.

    Returns
    -------
    dict
        Paths by name, such as ``workshop/3_a_campaign``, without suffix, or ``parameters/cu_ni.yaml``.

    Raises
    ------
    ConfigError
        If the installation has no notebooks.
    """
    folder = shipped_folder()
    paths = sorted(path.relative_to(folder) for path in folder.rglob(f"*{suffix}"))
    # in a checkout, Jupyter adds hidden folders with checkpoints
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return {(path.with_suffix("") if suffix == NOTEBOOK else path).as_posix(): folder / path for path in paths}


def find_notebook(notebook: str | Path) -> Path:
    """Find a notebook by its path or, if there is no such file, among the included notebooks by its name.

    Parameters
    ----------
    notebook
        Path, or name as in `shipped`, with or without ``.ipynb``.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If there is neither; the message lists the names.
    """
    path = Path(notebook)
    if path.is_file():
        return path
    known = shipped()
    name = path.as_posix().removesuffix(NOTEBOOK)
    if name in known:
        return known[name]
    raise ConfigError(f"there is no notebook {path}; acemaker includes {', '.join(known)}")


def find_parameters(file: str | Path) -> Path:
    """Find a parameter file by its path or, if there is no such file, among the included ones by its name.

    Parameters
    ----------
    file
        Path, or name such as ``parameters/cu_ni.yaml``.

    Returns
    -------
    Path
        The path as given if there is neither, so that reading the file reports the error.
    """
    path = Path(file)
    return path if path.exists() else shipped(PARAMETERS).get(path.as_posix(), path)


def add_notebooks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands
        Commands of the parser.
    """
    parser = commands.add_parser(
        "notebooks",
        help="copy the notebooks included in acemaker into a folder, or list them",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", nargs="?", type=Path, help="target folder; created if missing")
    parser.add_argument("--force", action="store_true", help="overwrite files of the same names with other contents")


def notebooks(options: argparse.Namespace) -> int:
    """Run the command.

    Parameters
    ----------
    options
        Parsed command line.

    Returns
    -------
    int
        Exit status.
    """
    try:
        lines = _list() if options.directory is None else copy_notebooks(options.directory, force=options.force)
    except ConfigError as error:
        sys.stderr.write(f"acemaker notebooks: {error}\n")
        return 2
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def copy_notebooks(directory: Path, *, force: bool = False) -> list[str]:
    """Copy all included notebooks and parameter files.

    Parameters
    ----------
    directory
        Target folder; created if missing.
    force
        Whether to overwrite files that have other contents.

    Returns
    -------
    list of str
        Lines that name the files written and the next step.

    Raises
    ------
    ConfigError
        If there are files with other contents and ``force`` is not given, before anything is written; or if a file
        cannot be read or written.
    """
    folder = shipped_folder()
    texts, unchanged, different = dict[Path, str](), list[Path](), list[Path]()
    try:
        for source in [*shipped().values(), *shipped(PARAMETERS).values()]:
            target, text = directory / source.relative_to(folder), source.read_text(encoding="utf-8")
            if target.is_file() and target.read_bytes() == text.encode():
                unchanged.append(target)
                continue
            texts[target] = text
            if os.path.lexists(target):  # exists() is false for a broken link, which would be lost all the same
                different.append(target)
        if different and not force:
            raise ConfigError(
                f"{directory} already contains other versions of "
                f"{', '.join(str(path.relative_to(directory)) for path in different)}; no files were written. "
                "Choose another folder, or overwrite these files with --force"
            )
        for target, text in texts.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, text)
    except OSError as error:
        raise ConfigError(f"cannot copy the notebooks to {directory}: {error}") from error
    lines = [f"wrote {path}" for path in texts]
    lines += [f"{len(unchanged)} files were already there, unchanged"] if unchanged else []
    main = shlex.quote(str(directory / f"otf_campaign{NOTEBOOK}"))
    return [
        *lines,
        "next, in Jupyter:",
        f"  jupyter lab {shlex.quote(str(directory))}",
        "or from the command line:",
        f"  acemaker run {main} runs/demo/otf_campaign.ipynb -p directory=runs/demo",
    ]


def _list() -> list[str]:
    """List the notebooks with their headings, and the parameter files with their first comments."""
    rows = {name: _heading(path) for name, path in shipped().items()}
    for name, path in shipped(PARAMETERS).items():
        rows[name] = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").rstrip(":")
    width = max(map(len, rows))
    return [f"{name:{width}}  {heading}" for name, heading in rows.items()] + [
        "",
        "copy them with: acemaker notebooks DIR",
        "or run one with: acemaker run NAME OUT.ipynb",
    ]


def _heading(notebook: Path) -> str:
    """Read the first line of a notebook, without nbformat, which a plain installation does not have."""
    source = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
    return "".join(source).partition("\n")[0].lstrip("# ")
