"""LABEL: ask the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ase import Atoms

from acemaker.errors import OracleError
from acemaker.oracles.checks import check_label
from acemaker.oracles.oracle import Oracle
from acemaker.results import LabelFailure, Labels, Selection
from acemaker.structures.mask import with_mask_of


def label(
    selection: Selection,
    oracle: Oracle,
    max_retries: int,
    *,
    max_force: float = float("inf"),
    needed: int = 1,
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
        Further tries per structure; none where the same would come of it.
    max_force
        eV/Å; a label with a larger force is taken to be wrong.
    needed
        Labels that must come of it; the reserve steps in where the selected ones fail.
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
        If fewer structures could be labelled than are needed, or none could: a program is missing, say.
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
                labelled, failure = _ask(oracle, selection, candidate, max_retries, max_force)
                if failure is not None:
                    record_failure(failure)
            if failure is not None:
                failures.append(failure)
                if reserve and (candidate == anchor or len(done) + len(queue) < needed):
                    substitute = reserve.pop(0)
                    queue.insert(0, substitute)
                    anchor = substitute if candidate == anchor else anchor
                continue
            assert labelled is not None
            labelled = record(candidate, labelled)
        done.append(candidate)
        structures.append(labelled)
    if len(structures) < needed:
        causes = "\n".join(f"  candidate {failure.candidate}: {failure.cause}" for failure in failures)
        raise OracleError(
            f"{len(structures)} of {len(structures) + len(failures)} structures could be labelled, {needed} are "
            f"needed; mend the oracle and reopen the campaign, which goes on here:\n{causes}"
        )
    return Labels(
        halt_number=selection.candidates.halt_number,
        candidates=tuple(done),
        structures=tuple(structures),
        failures=tuple(failures),
    )


def _ask(
    oracle: Oracle, selection: Selection, candidate: int, max_retries: int, max_force: float
) -> tuple[Atoms | None, LabelFailure | None]:
    cause, tries = "", 0
    while tries <= max_retries:
        tries += 1
        try:
            labelled = oracle.label(selection.candidates.structures[candidate])
            check_label(labelled, max_force)
            return with_mask_of(selection.candidates.structures[candidate], labelled), None
        except OracleError as error:
            if error.cause.everywhere:
                raise  # no other structure would fare better: the campaign stops here before it uses them up
            cause = str(error)
            if error.cause.lasting:
                break
        except Exception as error:  # an oracle of the user's own may raise anything
            cause = f"the oracle raised {type(error).__name__}: {error}"
    return None, LabelFailure(candidate=candidate, attempts=tries, cause=cause)
