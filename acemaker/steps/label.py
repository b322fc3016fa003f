"""LABEL: ask the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ase import Atoms

from acemaker.errors import OracleError
from acemaker.oracles.oracle import Oracle
from acemaker.results import LabelFailure, Labels, Selection


def label(
    selection: Selection,
    oracle: Oracle,
    max_retries: int,
    *,
    recall: Callable[[int], Atoms | None] = lambda _candidate: None,
    record: Callable[[int, Atoms], Atoms] = lambda _candidate, atoms: atoms,
    record_failure: Callable[[LabelFailure], None] = lambda _failure: None,
    failed: Mapping[int, LabelFailure] | None = None,
) -> Labels:
    """Label the selected structures.

    One that cannot be labelled is left out; the anchor hands its place to the best candidate in reserve.

    Parameters
    ----------
    selection
        What to label.
    oracle
        What labels.
    max_retries
        Further tries per structure.
    recall
        Gives the label of a candidate that was paid for already, or None.
    record
        Keeps a label before the next is asked for, and returns it as it is kept.
    record_failure
        Notes a structure that could not be labelled.
    failed
        Failures noted before, which are not tried again.

    Returns
    -------
    Labels

    Raises
    ------
    OracleError
        If not one structure could be labelled.
    """
    queue, reserve = list(selection.selected), list(selection.reserve)
    known_failures = dict(failed or {})
    done: list[int] = []
    structures: list[Atoms] = []
    failures: list[LabelFailure] = []
    anchor = queue[0]
    while queue:
        candidate = queue.pop(0)
        labelled = recall(candidate)
        if labelled is None:
            failure = known_failures.get(candidate)
            if failure is None:
                labelled, failure = _ask(oracle, selection, candidate, max_retries)
                if failure is not None:
                    record_failure(failure)
            if failure is not None:
                failures.append(failure)
                if candidate == anchor and reserve:
                    anchor = reserve.pop(0)
                    queue.insert(0, anchor)
                continue
            assert labelled is not None
            labelled = record(candidate, labelled)
        done.append(candidate)
        structures.append(labelled)
    if not structures:
        causes = "\n".join(f"  candidate {failure.candidate}: {failure.cause}" for failure in failures)
        raise OracleError(
            f"none of {len(failures)} structures could be labelled; mend the oracle and reopen the campaign, which "
            f"goes on here:\n{causes}"
        )
    return Labels(
        halt_number=selection.candidates.halt_number,
        candidates=tuple(done),
        structures=tuple(structures),
        failures=tuple(failures),
    )


def _ask(
    oracle: Oracle, selection: Selection, candidate: int, max_retries: int
) -> tuple[Atoms | None, LabelFailure | None]:
    cause = ""
    for _ in range(1 + max_retries):
        try:
            return oracle.label(selection.candidates.structures[candidate]), None
        except OracleError as error:
            cause = str(error)
    return None, LabelFailure(candidate=candidate, attempts=1 + max_retries, cause=cause)
