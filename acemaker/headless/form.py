"""Form of a notebook's parameters without widgets: set, check and save values, and run the notebook."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from acemaker.config.campaign import parameter_homes
from acemaker.errors import AcemakerError, ConfigError, StateError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table
from acemaker.headless.check import check_parameters
from acemaker.headless.notebook import describe
from acemaker.headless.parameters import Field, fields_of, read_value
from acemaker.headless.run import BackgroundRun, check_target

_CONFIG = re.compile(r"\w+Config\.(\w+)[.:]")


@dataclass(frozen=True, kw_only=True)
class Problems:
    """Error messages about the values of a form, as in ``acemaker run``.

    Attributes
    ----------
    by_name : mapping of str to str
        Messages about single parameters.
    others : tuple of str
        Messages about several parameters, about the campaign in the directory, and about parameters that the form does
        not list.
    """

    by_name: Mapping[str, str]
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.by_name or self.others)


class Form(Record):
    """The parameters of a notebook and their values.

    Parameters
    ----------
    notebook
        A notebook with one cell tagged ``parameters``.
    out
        The executed notebook; None for the same name in the folder ``runs``.

    Attributes
    ----------
    fields : tuple of Field
        The parameters, in the order of the cell.
    out : Path
        The executed notebook.
    started : BackgroundRun or None
        The latest run.

    Raises
    ------
    ConfigError
        If the notebook cannot be read, or has no parameters.
    MissingLibraryError
        If papermill is not installed.
    """

    def __init__(self, notebook: str | Path, out: str | Path | None = None) -> None:
        self.notebook = describe(notebook)
        self.fields: tuple[Field, ...] = fields_of(self.notebook)
        self.out = Path("runs") / self.notebook.path.name if out is None else Path(out)
        self.started: BackgroundRun | None = None
        self._set: dict[str, Any] = {}

    @property
    def changed(self) -> dict[str, Any]:
        """Values that differ from the defaults of the notebook, unchecked."""
        defaults = {field.name: field.default for field in self.fields if field.known}
        return {name: value for name, value in self._set.items() if not _same(value, defaults.get(name, ...))}

    @property
    def unchecked_values(self) -> dict[str, Any]:
        """All values, unchecked: those that were set, and defaults of the notebook that are literals."""
        return {field.name: field.default for field in self.fields if field.known} | self._set

    @property
    def values(self) -> dict[str, Any]:
        """All values, checked, as passed to the notebook, including the engine that ``acemaker run`` adds.

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As in ``acemaker run``.
        """
        return check_parameters(self.notebook, self.unchecked_values)

    @property
    def problems(self) -> Problems:
        """Error messages about the values."""
        values, by_name, others = self.unchecked_values, dict[str, str](), list[str]()
        while True:
            try:
                check_parameters(self.notebook, values)
            except AcemakerError as error:
                lines = [(self._named(line), line) for line in str(error).splitlines()]
            else:
                lines = []
            for name, line in lines:
                if name:
                    by_name[name] = f"{by_name[name]}; {line}" if name in by_name else line
                else:
                    others.append(line)
            # an invalid parameter that is not a campaign's raises before the campaign's parameters are checked
            own = {name for name, _ in lines if name and name not in parameter_homes()}
            if not own & set(values):
                return Problems(by_name=by_name, others=tuple(others))
            values = {name: value for name, value in values.items() if name not in own}

    @property
    def command(self) -> str:
        """Command line that runs the notebook with these values."""
        kinds = {field.name: field.kind for field in self.fields}
        words = [f"{name}={_word(value, kinds.get(name, ''))}" for name, value in self.changed.items()]
        parts = ["acemaker", "run", str(self.notebook.path), str(self.out), *(f"-p {shlex.quote(w)}" for w in words)]
        return " ".join([*parts[:2], *map(shlex.quote, parts[2:4]), *parts[4:]])

    def fill(self, **values: Any) -> Form:
        """Set parameters without checking them; see `problems` and `values`.

        Parameters
        ----------
        **values
            Values by name; ``...`` restores the default of the notebook.

        Returns
        -------
        Form
            This form.
        """
        for name, value in values.items():
            self._set.pop(name, None)
            if value is not ...:
                self._set[name] = list(value) if isinstance(value, tuple) else value
        return self

    def write(self, file: str | Path) -> Path:
        """Check all values, and write them to a YAML file for ``acemaker run -f``.

        Parameters
        ----------
        file
            The file; its folder is created.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As in ``acemaker run``, before anything is written; also if the file cannot be written.
        """
        _ = self.values
        path = Path(file)
        text = yaml.safe_dump(self.unchecked_values, sort_keys=False, allow_unicode=True, default_flow_style=None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# acemaker run {self.notebook.path} {self.out} -f {path}\n{text}", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error}") from error
        return path

    def start(self) -> BackgroundRun:
        """Run the notebook in a separate process, which continues when this process ends.

        Parameters and log are written next to the executed notebook, as ``*.parameters.yaml`` and ``*.log``.

        Returns
        -------
        BackgroundRun

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As in ``acemaker run``, before anything is written or started.
        StateError
            If the previous run of this form has not ended.
        """
        if self.started is not None and self.started.status is None:
            raise StateError(
                f"the notebook is already running in process {self.started.pid}; stop it, or wait until it has ended"
            )
        check_target(self.out, self.notebook.path)
        file = self.write(self.out.with_suffix(".parameters.yaml"))
        words = [str(self.notebook.path), str(self.out), "-f", str(file)]
        self.started = BackgroundRun(words, self.out.with_suffix(".log"))
        return self.started

    def stop(self) -> None:
        """Stop the run as Ctrl-C would; a new run with the same values continues its campaign."""
        if self.started is not None:
            self.started.stop()

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        values, rows, section = self.unchecked_values, [], ""
        for field in self.fields:
            if field.section != section:
                section = field.section
                rows.append((f"— {section or 'other'}", "", "", ""))
            value = flow(values[field.name]) if field.name in values else field.source
            rows.append((field.name, field.kind or "any", value, field.help))
        rows += [(name, "any", flow(self._set[name]), "") for name in self._set if name not in self._names]
        problems = self.problems
        errors = [("error", line) for line in (*problems.by_name.values(), *problems.others)]
        title = f"Parameters of {self.notebook.path.name}"
        table = Table(("parameter", "type", "value", "description"), tuple(rows), words=True)
        return Summary(title, (*errors, ("command", self.command)), table)

    @property
    def _names(self) -> set[str]:
        return {field.name for field in self.fields}

    def _named(self, line: str) -> str:
        """Return the parameter to which a line of an error message refers; empty if the form does not list it."""
        match = _CONFIG.match(line)
        name = match[1] if match else line.partition(" ")[0]
        return name if name in self._names else ""


def _same(value: Any, other: Any) -> bool:
    """Return whether two values are equal; True differs from 1, but 2.0 equals 2."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def flow(value: Any) -> str:
    """Return a value as one line of YAML.

    Parameters
    ----------
    value
        Value of a type that YAML supports.

    Returns
    -------
    str
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _word(value: Any, kind: str) -> str:
    """Return a value as text that the command line reads as the same value."""
    if isinstance(value, str) and read_value(value, kind) == value:
        return value
    return flow(value)
