"""One label to be made: plain data that goes to wherever it is made, and the answer that comes back."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError
from acemaker.labeling.finished_labels import Outbox
from acemaker.oracles.oracle import Oracle, with_results

Answer = dict[str, Any]
"""``labelled`` (Atoms) or ``results`` and ``info`` of a label, else ``cause`` and ``message``; ``seconds`` that it
took; ``tries``, where it is not to be tried again."""

_ONE_BY_ONE = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One label to be made.

    Attributes
    ----------
    key : str
        Of structure and oracle settings; the same label has the same key whenever and wherever it is asked for.
    candidate : int
        The structure's number, for people.
    atoms : Atoms
        The structure.
    outbox : str
        Folder in which a finished label is left, so that it is there even if nobody waits for it any more.
    label : str
        File in which the campaign keeps the label once it has it.
    """

    key: str
    candidate: int
    atoms: Atoms
    outbox: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a process elsewhere needs to make labels.

    Attributes
    ----------
    config : dict
        Of the oracle, as JSON has it.
    elements : tuple of str
        Of the system.
    path : tuple of str
        Where Python looks for modules.
    keep : str
        Folder for what failed calculations have written; empty for none.
    """

    config: dict[str, Any]
    elements: tuple[str, ...]
    path: tuple[str, ...]
    keep: str = ""

    @classmethod
    def of(cls, config: OracleConfig, elements: tuple[str, ...], keep: Path | None) -> Recipe:
        """Write a configuration down such that it means the same in another folder."""
        if config.oracle == "espresso":
            from acemaker.oracles.espresso import located

            config = located(config)
        if config.scratch:
            config = config.model_copy(update={"scratch": str(Path(config.scratch).expanduser().absolute())})
        path = tuple(str(Path(entry).absolute()) for entry in sys.path)
        return cls(config=config.model_dump(mode="json"), elements=elements, path=path, keep=str(keep or ""))


def make_label(job: Job, recipe: Recipe, owner: int = 0) -> Answer:
    """Make one label in whatever process this is; the checks are those of any label.

    Parameters
    ----------
    job
        What is to be labelled.
    recipe
        By what.
    owner
        The campaign's process: where this is a thread of it, labels that are made in it go one by one.

    Returns
    -------
    dict
        An answer of plain data; failures are answers, too.
    """
    sys.path += [entry for entry in recipe.path if entry not in sys.path]
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    def label(atoms: Atoms) -> Atoms:
        from acemaker.oracles.process import is_inline, make_oracle

        config, keep = OracleConfig(**recipe.config), Path(recipe.keep) if recipe.keep else None
        begun = time.monotonic()

        def home(labelled: Atoms) -> None:
            answer = {"labelled": labelled, "seconds": time.monotonic() - begun}
            Outbox(Path(job.outbox)).leave(job.key, plain(answer))

        with _ONE_BY_ONE if os.getpid() == owner and is_inline(config) else contextlib.nullcontext():
            return make_oracle(config, recipe.elements, keep, home).label(atoms)

    return plain(_once(job, lambda: ask(label, job.atoms)))


def have_labelled(job: Job, oracle: Oracle, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Have an oracle of this process, or one that was sent here, make one label.

    Parameters
    ----------
    job
        What is to be labelled.
    oracle
        By what.
    stopped
        Tells that nobody wants it any more.

    Returns
    -------
    dict
        An answer.
    """
    return _once(job, lambda: ask(oracle.label, job.atoms), stopped)


def ask(label: Callable[[Atoms], Atoms], atoms: Atoms) -> Answer:
    """Ask for a label, and make an answer of whatever comes: errors have to survive the way back."""
    begun = time.monotonic()
    try:
        answer: Answer = {"labelled": label(atoms)}
    except OracleError as error:
        answer = failure(str(error), error.cause)
    except (MissingLibraryError, ConfigError) as error:  # a package or a file that is here is not there
        answer = failure(str(error), Cause.PROGRAM_MISSING)
    except Exception as error:  # an oracle of the user's own may raise anything
        answer = failure(f"the oracle raised {type(error).__name__}: {error}")
    return {**answer, "seconds": time.monotonic() - begun}


def failure(message: str, cause: Cause = Cause.FAILED) -> Answer:
    """Make the answer that there is no label."""
    return {"cause": str(cause), "message": message, "seconds": 0.0}


def plain(answer: Answer) -> Answer:
    """Turn a label into numbers, which any process can read."""
    if "labelled" not in answer:
        return answer
    labelled = answer["labelled"]
    results = dict(labelled.calc.results) if labelled.calc is not None else {}
    rest = {name: value for name, value in answer.items() if name != "labelled"}
    return {"results": results, "info": dict(labelled.info), **rest}


def labelled_by(answer: Answer, atoms: Atoms) -> Atoms:
    """Put an answer and its structure together.

    Raises
    ------
    OracleError
        If the answer is a failure.
    """
    if "message" in answer:
        cause = Cause(answer["cause"])
        raise OracleError(answer["message"].removeprefix(f"{cause}: "), cause)
    if "labelled" in answer:
        labelled: Atoms = answer["labelled"]
        return labelled
    labelled = with_results(atoms, answer["results"])
    labelled.info.update(answer["info"])
    return labelled


def _once(job: Job, make: Callable[[], Answer], stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Make a label unless it is there already, or comes while another process makes it."""
    outbox = Outbox(Path(job.outbox))
    with outbox.alone(job.key, stopped):
        if Path(job.label).exists():
            return failure("the campaign has this label already")
        answer = outbox.read(job.key)
        if answer is None:
            answer = make()
            if "message" not in answer:
                outbox.leave(job.key, plain(answer))
    return answer
