"""Who is to be labelled: what serial labelling would ask, whatever order labels come in."""

from __future__ import annotations

from collections.abc import Container, Sequence


def walk(
    selected: Sequence[int], reserve: Sequence[int], needed: int, failed: Container[int]
) -> tuple[list[int], list[int]]:
    """Go through a selection as if one label were made after the other, hoping for what is not known yet.

    One that cannot be labelled is left out; the anchor hands its place to the best candidate in reserve, and any other
    one does so where fewer labels would come of it than are needed.

    Parameters
    ----------
    selected
        Candidates to label, in the order of choice.
    reserve
        The others, best first.
    needed
        Labels that must come of it.
    failed
        Candidates that cannot be labelled.

    Returns
    -------
    wanted, refused : list of int
        Candidates whose labels are there or hoped for, and those met on the way that cannot be labelled.
    """
    queue, waiting = list(selected), list(reserve)
    wanted: list[int] = []
    refused: list[int] = []
    anchor = queue[0]
    while queue:
        candidate = queue.pop(0)
        if candidate not in failed:
            wanted.append(candidate)
            continue
        refused.append(candidate)
        if waiting and (candidate == anchor or len(wanted) + len(queue) < needed):
            substitute = waiting.pop(0)
            queue.insert(0, substitute)
            anchor = substitute if candidate == anchor else anchor
    return wanted, refused
