"""A notebook's parameters filled in, checked, written down and run: what a form does, without its widgets."""

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
from acemaker.headless.arguments import read_value
from acemaker.headless.background_run import Started
from acemaker.headless.check import check_parameters
from acemaker.headless.fields import Field, fields_of
from acemaker.headless.notebook import describe
from acemaker.headless.run import check_target

_CONFIG = re.compile(r"\w+Config\.(\w+)[.:]")


@dataclass(frozen=True, kw_only=True)
class Problems:
    """What is wrong with the values of a form, in the words of ``acemaker run``.

    Attributes
    ----------
    by_name : mapping of str to str
        Of single parameters.
    others : tuple of str
        Of several together, of the campaign in the directory, and of what the form does not list.
    """

    by_name: Mapping[str, str]
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.by_name or self.others)


class Form(Record):
    """The parameters of a notebook.

    Parameters
    ----------
    notebook
        With one cell tagged ``parameters``.
    out
        The executed notebook; the same name in ``runs`` if None.

    Attributes
    ----------
    fields : tuple of Field
        The parameters, in the order of the cell.
    out : Path
        The executed notebook.
    started : Started or None
        The run that was started last.

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
        self.started: Started | None = None
        self._set: dict[str, Any] = {}

    @property
    def changed(self) -> dict[str, Any]:
        """The values that are not the notebook's own, unchecked."""
        own = {field.name: field.default for field in self.fields if field.known}
        return {name: value for name, value in self._set.items() if not _same(value, own.get(name, ...))}

    @property
    def given(self) -> dict[str, Any]:
        """All values, unchecked: those that were set, and the notebook's own as far as they are literals."""
        return {field.name: field.default for field in self.fields if field.known} | self._set

    @property
    def values(self) -> dict[str, Any]:
        """All values, checked, as the notebook will get them; with the engine that ``acemaker run`` adds.

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As ``acemaker run`` would.
        """
        return check_parameters(self.notebook, self.given)

    @property
    def problems(self) -> Problems:
        """What is wrong with the values."""
        given, by_name, others = self.given, dict[str, str](), list[str]()
        while True:
            try:
                check_parameters(self.notebook, given)
            except AcemakerError as error:
                lines = [(self._named(line), line) for line in str(error).splitlines()]
            else:
                lines = []
            for name, line in lines:
                if name:
                    by_name[name] = f"{by_name[name]}; {line}" if name in by_name else line
                else:
                    others.append(line)
            # a parameter of the notebook's own is refused before any of a campaign is looked at
            own = {name for name, _ in lines if name and name not in parameter_homes()}
            if not own & set(given):
                return Problems(by_name=by_name, others=tuple(others))
            given = {name: value for name, value in given.items() if name not in own}

    @property
    def command(self) -> str:
        """The command line that runs the notebook with these values."""
        kinds = {field.name: field.kind for field in self.fields}
        words = [f"{name}={_word(value, kinds.get(name, ''))}" for name, value in self.changed.items()]
        parts = ["acemaker", "run", str(self.notebook.path), str(self.out), *(f"-p {shlex.quote(w)}" for w in words)]
        return " ".join([*parts[:2], *map(shlex.quote, parts[2:4]), *parts[4:]])

    def fill(self, **values: Any) -> Form:
        """Set parameters; what is wrong with them is said by `problems` and `values`.

        Parameters
        ----------
        **values
            By name; ``...`` for the notebook's own.

        Returns
        -------
        Form
            This one.
        """
        for name, value in values.items():
            self._set.pop(name, None)
            if value is not ...:
                self._set[name] = list(value) if isinstance(value, tuple) else value
        return self

    def write(self, file: str | Path) -> Path:
        """Write all values to a YAML file for ``acemaker run -f``, once they are right.

        Parameters
        ----------
        file
            Where to; its folder is made.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As ``acemaker run`` would, before anything is written; also if the file cannot be.
        """
        _ = self.values
        path = Path(file)
        text = yaml.safe_dump(self.given, sort_keys=False, allow_unicode=True, default_flow_style=None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# acemaker run {self.notebook.path} {self.out} -f {path}\n{text}", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error}") from error
        return path

    def start(self) -> Started:
        """Run the notebook in a process of its own, which goes on when this one ends.

        Parameters and log lie beside the executed notebook, as ``*.parameters.yaml`` and ``*.log``.

        Returns
        -------
        Started

        Raises
        ------
        ConfigError, CampaignExistsError, CampaignLockedError
            As ``acemaker run`` would, before anything is written or started.
        StateError
            If the run that this form has started goes on.
        """
        if self.started is not None and self.started.status is None:
            raise StateError(f"it runs already, as process {self.started.pid}; stop it, or wait until it has ended")
        check_target(self.out, self.notebook.path)
        file = self.write(self.out.with_suffix(".parameters.yaml"))
        words = [str(self.notebook.path), str(self.out), "-f", str(file)]
        self.started = Started(words, self.out.with_suffix(".log"))
        return self.started

    def stop(self) -> None:
        """Stop the run that was started as Ctrl-C would; the same values continue its campaign."""
        if self.started is not None:
            self.started.stop()

    def summary(self) -> Summary:
        """Return what the form says of itself."""
        given, rows, section = self.given, [], ""
        for field in self.fields:
            if field.section != section:
                section = field.section
                rows.append((f"— {section or 'others'}", "", "", ""))
            value = flow(given[field.name]) if field.name in given else field.source
            rows.append((field.name, field.kind or "any", value, field.help))
        rows += [(name, "any", flow(self._set[name]), "") for name in self._set if name not in self._names]
        found = self.problems
        wrong = [("wrong", line) for line in (*found.by_name.values(), *found.others)]
        title = f"Parameters of {self.notebook.path.name}"
        table = Table(("parameter", "type", "value", "what it is"), tuple(rows), words=True)
        return Summary(title, (*wrong, ("command", self.command)), table)

    @property
    def _names(self) -> set[str]:
        return {field.name for field in self.fields}

    def _named(self, line: str) -> str:
        """Find the parameter that a line of an error is about; empty for none that the form lists."""
        match = _CONFIG.match(line)
        name = match[1] if match else line.partition(" ")[0]
        return name if name in self._names else ""


def _same(one: Any, other: Any) -> bool:
    """Compare two values; True is not 1 here, but 2.0 is 2."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def flow(value: Any) -> str:
    """Write a value as one line of YAML.

    Parameters
    ----------
    value
        Of types that YAML has.

    Returns
    -------
    str
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _word(value: Any, kind: str) -> str:
    """Write a value so that the command line reads the same."""
    if isinstance(value, str) and read_value(value, kind) == value:
        return value
    return flow(value)
