"""LABEL: have the selected structures labeled."""

from __future__ import annotations

from acemaker.labeling.collector import Collector
from acemaker.labeling.request import Collection
from acemaker.oracles.checks import noted_pressure
from acemaker.results import Labels, Selection, Submission


def label(selection: Selection, collector: Collector) -> Labels:
    """Wait for all labels of a selection.

    Parameters
    ----------
    selection
        The structures.
    collector
        Has these structures labeled.

    Returns
    -------
    Labels

    Raises
    ------
    OracleError
        If fewer structures can be labeled than are needed, or none of them can.
    CampaignError
        If a label cannot be written.
    """
    return _labels(selection, collector.label())


def submit(selection: Selection, collector: Collector) -> Submission:
    """Hand out the missing structures of a selection without waiting for labels.

    Parameters
    ----------
    selection, collector
        As in `label`.

    Returns
    -------
    Submission
    """
    return _submission(selection, collector.submit())


def collect(selection: Selection, collector: Collector) -> Labels | Submission:
    """Collect the labels that are finished.

    Parameters
    ----------
    selection, collector
        As in `label`.

    Returns
    -------
    Labels or Submission
        Labels if these are all, otherwise what is missing.

    Raises
    ------
    OracleError, CampaignError
        As in `label`.
    """
    collection = collector.collect()
    return _submission(selection, collection) if collection.missing else _labels(selection, collection)


def _labels(selection: Selection, collection: Collection) -> Labels:
    return Labels(
        halt_number=selection.candidates.halt_number,
        candidates=tuple(collection.labels),
        structures=tuple(collection.labels.values()),
        failures=collection.failures,
        undistorted=noted_pressure(selection.candidates.structures),
    )


def _submission(selection: Selection, collection: Collection) -> Submission:
    return Submission(
        halt_number=selection.candidates.halt_number,
        where=collection.where,
        done=tuple(collection.labels),
        missing=collection.missing,
        notes=collection.notes,
        failures=collection.failures,
    )
