"""Changes of labels by hand: add, remove, restore, and have labels computed again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from ase import Atoms

from acemaker.errors import ConfigError, LabelBudgetError, OracleError
from acemaker.formatting.summary import counted
from acemaker.loop.added_structures import Structures, checked, read_added
from acemaker.loop.callbacks import WorkControl
from acemaker.loop.cuts import cut_segments
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.label_files import label_sum, read_label, write_label
from acemaker.loop.label_names import Label, check_may_change, files_of
from acemaker.loop.labels import structure_key
from acemaker.loop.progress import Event, LabelEntry, Progress
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import contained, translated_os_errors
from acemaker.loop.work import Work
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.training import Training
from acemaker.results import LabelFailure, Revision
from acemaker.structures.files import read_structures, write_structures

logger = logging.getLogger("acemaker")


class LabelEditing(CampaignReader):
    """Adds the methods that change labels by hand to a campaign that this process runs.

    Each change is recorded in the journal before and after the potential is trained again, from the beginning, on the
    labels in force in their order: the result is that of a campaign that never had other labels.
    """

    _journaled: JournaledState
    _work: Work
    _control: WorkControl

    def add(self, structures: Structures, *, use_results: bool = True) -> Revision:
        """Add structures to the training set, at any time while no label is pending, and train again.

        Parameters
        ----------
        structures
            A structure, several, or a file that ASE reads. Those with a ``SinglePointCalculator`` that has energy (eV)
            and forces (eV/Å) are labels already: they cost nothing, do not count in ``max_labels``, and are checked as
            any label. The oracle labels the others.
        use_results
            Whether to use such results; otherwise, the oracle labels all structures.

        Returns
        -------
        Revision
            The labels, structures that could not be labeled, and the new generation.

        Raises
        ------
        StructureError
            If a structure or its results cannot be used; nothing is written or labeled then.
        LabelBudgetError
            If more structures have to be labeled than ``max_labels`` leaves.
        StateError
            If labels are pending, there is no potential yet, or the campaign has failed.
        OracleError
            If no structure could be labeled.

        Examples
        --------
        >>> from acemaker.testing import ToyOracle, toy_campaign
        >>> campaign = toy_campaign()
        >>> rattled = campaign.initial_structure().copy()
        >>> rattled.rattle(0.1, seed=7)
        >>> revision = campaign.add(ToyOracle().label(rattled))
        >>> print(revision.headline(), campaign.generation.number)
        1 label added 3
        >>> campaign.remove(revision.files[0], "only a trial").training.generation.number
        4
        """
        with self._control.at_work("add labels"), translated_os_errors(self.directory):
            self._finish_changes()
            check_may_change(self.progress, self.directory)
            oracle, elements = self.config.oracle, self._elements()
            added = checked(
                read_added(structures),
                oracle,
                elements,
                self._structure_keys(),
                use_results=use_results,
                needs_stress=self._work.labels.needs_stress,
                is_own_oracle=self._work.labels.own_oracle is not None,
            )
            self._check_budget(sum(item.label is None for item in added), "label")
            number = self.progress.revisions.n_pending + 1
            write_structures(self._store.added(number), [item.atoms for item in added])
            for index, item in enumerate(added):
                if item.label is not None:
                    write_label(self._store.added_label(number, index), item.label)
            own = [index for index, item in enumerate(added) if item.label is not None]
            self._journaled.append("adding", number=number, n_structures=len(added), own=own)
            return self._complete()

    def remove(self, labels: Label | Iterable[Label], reason: str) -> Revision:
        """Remove labels from the training set, and train again; their files stay, and `restore` brings them back.

        Parameters
        ----------
        labels
            One or several: names of their files, e.g. ``"halt_0003_candidate_000"``, positions in
            ``campaign.to_dataframe("labels")``, or entries of ``campaign.progress.labels``.
        reason
            Why, for journal and report.

        Returns
        -------
        Revision

        Raises
        ------
        ConfigError
            If there is no such label, no reason, or too few labels would be left.
        StateError
            As for `add`.
        """
        with self._control.at_work("remove labels"), translated_os_errors(self.directory):
            self._finish_labels()
            check_may_change(self.progress, self.directory)
            if not isinstance(reason, str) or not reason.strip():
                raise ConfigError("campaign.remove: expected a reason in words, which the journal records, got none")
            in_force = [entry.file for entry in self.progress.labels]
            isolated = {Path(event["file"]).stem for event in self.progress.isolated.values()}
            names = {Path(str(label)).name.removesuffix(".extxyz") for label in _several(labels)}
            if fixed := sorted(isolated & names):
                raise ConfigError(
                    f"campaign.remove: {', '.join(fixed)} cannot be removed, since the reference energies are those of "
                    "isolated atoms; to compute it again: campaign.relabel(label)"
                )
            files = files_of(labels, self.progress, self.directory, in_force)
            self._check_rest(set(files))
            return self._change("label_removed", files, {"reason": " ".join(reason.split())})

    def restore(self, labels: Label | Iterable[Label]) -> Revision:
        """Bring back labels that were removed, or earlier versions of labels that were computed again; train again.

        Parameters
        ----------
        labels
            One or several names of files of such labels.

        Returns
        -------
        Revision

        Raises
        ------
        ConfigError
            If there is no such label.
        StateError
            As for `add`.
        """
        with self._control.at_work("restore labels"), translated_os_errors(self.directory):
            self._finish_labels()
            check_may_change(self.progress, self.directory)
            progress = self.progress
            in_force = {entry.file for entry in progress.labels}
            in_force |= {event["file"] for event in progress.isolated.values()}
            allowed = [entry.file for entry in progress.all_labels] + list(progress.revisions.isolated)
            files = files_of(labels, progress, self.directory, [file for file in allowed if file not in in_force])
            places = [progress.revisions.place_of.get(file, file) for file in files]
            if len(set(places)) < len(places):
                raise ConfigError("campaign.restore: expected one version per label, got several of the same label")
            return self._change("label_restored", files, {})

    def relabel(self, labels: Label | Iterable[Label] | None = None) -> Revision:
        """Have labels computed again by the oracle with its present settings, and train again.

        The new label takes the place of the earlier one, whose file stays, and which `restore` brings back.

        Parameters
        ----------
        labels
            One or several names, as for `remove`, also of isolated atoms (``"isolated_Cu"``); None for all labels that
            were computed with other settings of the oracle than the present ones.

        Returns
        -------
        Revision

        Raises
        ------
        ConfigError
            If there is no such label.
        LabelBudgetError
            If these are more than ``max_labels`` leaves: each of them is computed and counts.
        StateError
            As for `add`.
        OracleError
            If no structure could be labeled; the earlier labels stay in force.
        """
        with self._control.at_work("relabel"), translated_os_errors(self.directory):
            self._finish_changes()
            check_may_change(self.progress, self.directory)
            progress = self.progress
            isolated = [event["file"] for event in progress.isolated.values()]
            if labels is None:
                labels = self.outdated_labels()
                if not labels:
                    raise ConfigError(
                        "campaign.relabel: all labels were computed with the present settings of the oracle; name the "
                        "labels to compute again"
                    )
            allowed = [entry.file for entry in progress.labels] + isolated
            files = files_of(labels, progress, self.directory, allowed)
            self._check_budget(len(set(files) - set(isolated)), "relabel")
            number = progress.revisions.n_pending + 1
            new = [self._store.relative(self._store.label_again(file, number)) for file in files]
            self._journaled.append("relabeling", number=number, files=files, new=new)
            return self._complete()

    def finish_changes(self) -> Revision | None:
        """Complete a change of labels that was interrupted; `run` and all states do so first.

        Returns
        -------
        Revision or None
            None if there was none.
        """
        with self._control.at_work("finish changes of labels"), translated_os_errors(self.directory):
            return self._finish_changes()

    def _finish_labels(self) -> None:
        """Complete labels that are pending; a refit that is due may be replaced by that of another change."""
        if self.progress.revisions.pending is not None:
            self._complete()

    def _finish_changes(self) -> Revision | None:
        revisions = self.progress.revisions
        if revisions.pending is None and not revisions.is_refit_due:
            return None
        return self._complete()

    def _change(self, event: Literal["label_removed", "label_restored"], files: list[str], fields: Event) -> Revision:
        """Train without, or again with labels, and record this; nothing is recorded if the fit fails."""
        after = self.progress.apply({"event": event, "n": -1, "files": files, **fields})
        training, refit, trainer = self._refit(after)
        self._journaled.append(event, files=files, **fields)
        self._record(training, refit, trainer)
        action = event.removeprefix("label_")
        return self._told(
            Revision(
                action=action,
                files=tuple(files),
                n_labels=self.progress.n_labels,
                training=training,
                reason=fields.get("reason", ""),
            )
        )

    def _complete(self) -> Revision:
        """Have labels computed that are pending, train on the labels in force, and record this."""
        pending = self.progress.revisions.pending
        if pending is None:
            training, refit, trainer = self._refit(self.progress)
            self._record(training, refit, trainer)
            return self._told(Revision(action="changed", files=(), n_labels=self.progress.n_labels, training=training))
        is_addition = pending["event"] == "adding"
        failures = self._have_labeled(pending)
        entries = self._labeled(pending)
        done = [entry.file for entry in entries]
        done += [file for file in pending.get("new", ()) if file in self.progress.revisions.isolated]
        action = "added" if is_addition else "relabeled"
        if not done:
            self._journaled.append("refit", labels=[], done=[])
            causes = "; ".join(f"structure {failure.candidate}: {failure.cause}" for failure in failures)
            raise OracleError(
                f"no label was {action}, since none could be computed ({causes}); the labels are as before"
            )
        training, refit, trainer = self._refit(self.progress, entries if is_addition else ())
        self._record(training, {**refit, "done": done}, trainer)
        return self._told(
            Revision(
                action=action,
                files=tuple(done),
                n_labels=self.progress.n_labels,
                failures=failures,
                training=training,
            )
        )

    def _have_labeled(self, pending: Event) -> tuple[LabelFailure, ...]:
        """Have the pending structures labeled, except for those that are, and return the failures."""
        work, number = self._work.labels, pending["number"]
        work.on_relabeled = self._work.measure_again
        if pending["event"] == "adding":
            structures: list[Atoms] = list(read_structures(self._store.added(number)))
            files = [self._store.added_label(number, index) for index in range(len(structures))]
            recorded = {entry.file for entry in self.progress.labels}
            for index in pending["own"]:
                self._record_own(number, index, files[index], recorded)
            missing = [index for index in range(len(structures)) if index not in pending["own"]]
            optional: set[int] = set()
        else:
            structures = [self._structure_of(file) for file in pending["files"]]
            files = [contained(self.directory, name) for name in pending["new"]]
            missing = list(range(len(files)))
            isolated = {event["file"] for event in self.progress.isolated.values()} | set(
                self.progress.revisions.isolated
            )
            optional = {index for index, file in enumerate(pending["files"]) if file in isolated}
        if missing:
            selected = [index for index in missing if index not in optional]
            work.complete(pending, structures, files, selected, optional)
        failed = self.progress.revisions.failures
        return tuple(
            LabelFailure(candidate=index, attempts=event["attempts"], cause=event["cause"])
            for index, event in sorted(failed.items())
        )

    def _record_own(self, number: int, index: int, file: Path, recorded: set[str]) -> None:
        """Record a label that the user supplied, unless it is recorded."""
        name = self._store.relative(file) or ""
        if name in recorded:
            return
        labeled = read_label(file)
        key = f"own {structure_key(labeled)}"
        self._journaled.append(
            "label", halt=None, candidate=index, file=name, key=key, sum=label_sum(file), addition=number, own=True
        )

    def _labeled(self, pending: Event) -> list[LabelEntry]:
        """Return the labels of a change that is pending, in the order of the call."""
        number, revisions = pending["number"], self.progress.revisions
        if pending["event"] == "adding":
            return sorted(
                (entry for entry in self.progress.labels if entry.addition == number), key=lambda entry: entry.candidate
            )
        return [revisions.versions[file] for file in pending["new"] if file in revisions.versions]

    def _refit(self, progress: Progress, added: Iterable[LabelEntry] = ()) -> tuple[Training, dict[str, Any], Trainer]:
        started = time.perf_counter()
        training, fields, trainer = self._work.refit(progress, tuple(added))
        return training, {**fields, "wall_s": round(time.perf_counter() - started, 4)}, trainer

    def _record(self, training: Training, fields: dict[str, Any], trainer: Trainer) -> None:
        """Record a new generation together with the ends of interrupted segments, which ran with the earlier one."""
        self._work.exploring.rest()
        cuts = cut_segments(self.progress, self._store, self.config.otf)
        self._journaled.append("refit", **{"done": [], **fields}, **({"cuts": cuts} if cuts else {}))
        self._work.adopt(trainer)
        logger.info(training.headline())

    def _told(self, revision: Revision) -> Revision:
        logger.info(revision.headline())
        return revision

    def _check_budget(self, n_new: int, call: str) -> None:
        limit, n_charged = self.config.otf.max_labels, self.progress.n_charged
        if limit is not None and n_charged + n_new > limit:
            raise LabelBudgetError(
                f"campaign.{call}: expected at most {max(limit - n_charged, 0)} structures to label, which is what is "
                f"left of max_labels={limit}, got {n_new}; choose fewer, or open the campaign again with "
                f"Campaign.open({str(self.directory)!r}, max_labels={n_charged + n_new})"
            )

    def _check_rest(self, removed: set[str]) -> None:
        """Refuse to remove all labels, or all that contain an element."""
        missing = set(self._elements())
        rest = [entry for entry in self.progress.labels if entry.file not in removed]
        for entry in rest:
            if not missing:
                break
            missing -= set(self._structure_of(entry.file).get_chemical_symbols())
        if not rest or missing:
            left = f"no label with {', '.join(sorted(missing))}" if rest else "no label"
            raise ConfigError(
                f"campaign.remove: {left} would be left of {counted(len(self.progress.labels), 'label')}; add others "
                "first: campaign.add(structures)"
            )

    def _structure_keys(self) -> dict[str, str]:
        """Return the names of the labels in force by the hash of their structure."""
        return {
            structure_key(self._structure_of(entry.file)): f"the label {Path(entry.file).stem}"
            for entry in self.progress.labels
        }

    def _structure_of(self, file: str) -> Atoms:
        """Read the structure of a label from the file of the candidates, so that its own file may be damaged."""
        progress = self.progress
        isolated = {event["file"]: event for event in progress.isolated.values()} | dict(progress.revisions.isolated)
        if file in isolated:
            return read_label(contained(self.directory, file), isolated[file].get("sum", ""))
        entry = next(entry for entry in progress.all_labels if entry.file == file)
        place = next(
            item
            for item in progress.revisions.places or progress.labels
            if item.file == progress.revisions.place_of.get(file, file)
        )
        if place.addition is not None:
            return read_structures(self._store.added(place.addition))[place.candidate]
        return read_structures(self._store.candidates(entry.halt))[entry.candidate]

    def _elements(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.initial_structure().get_chemical_symbols())))


def _several(labels: Any) -> list[Any]:
    if isinstance(labels, str | Path | int | LabelEntry):
        labels = [labels]
    return [label.file if isinstance(label, LabelEntry) else label for label in labels]
