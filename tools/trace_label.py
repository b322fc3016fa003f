"""Count the changes of file in the code that `campaign.label()` runs: python tools/trace_label.py [--walk].

A campaign of 32 copper atoms, which ASE's EMT labels in this process, is brought to its first halt; the call of
`campaign.label()` for the two structures that are selected there is traced by `sys.setprofile`. Every function of
acemaker that is entered is an event, and two events in a row in different files are one change of file.

Two figures are printed. The whole call includes what every state does: the runner's entry, and the journal with its
lock and checksums. The label path is the part between `LabelWork.label` and its neighbors: `Oracle.label` and
`JournaledState.append` count as one event each, and callbacks of the runner are left out. With ``--walk`` the label
path is listed, one line per change of file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.states import State
from acemaker.testing import ToyEngine, halting_at

PACKAGE = Path(acemaker.__file__).parent
BEGIN = "LabelWork.label"
NEIGHBORS = ("JournaledState.append", "CalculatorOracle.label")
"""Functions in which the label path ends."""

RUNNER = ("loop/runner.py", "loop/callbacks.py")
"""Files of the callbacks that the runner passes, which are not followed."""

CONFIG = CampaignConfig(
    system={"structure": "Cu", "supercell": (2, 2, 2), "n_first": 2},
    otf={"n_candidates": 6, "n_select": 2, "max_retries": 0},
    engine={"steps": 200},
    potential={"n_functions": 12, "cutoff": 4.0, "nradmax_by_orders": (6, 3, 2), "lmax_by_orders": (0, 2, 1)},
    oracle={"oracle": "emt", "label_process": "this"},
)


@dataclass
class Walk:
    """Functions entered one after the other.

    Attributes
    ----------
    events : list of (str, str)
        File, relative to the package, and qualified name of each function.
    """

    events: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> Counter[str]:
        """How often each file was entered from another one."""
        return Counter(file for file, _ in self.stretches)

    @property
    def changes(self) -> int:
        """How often two events in a row are in different files."""
        return max(0, len(self.stretches) - 1)

    @property
    def stretches(self) -> list[tuple[str, list[str]]]:
        """Files in the order in which they are entered, each with the functions that run before the next."""
        stretches: list[tuple[str, list[str]]] = []
        for file, name in self.events:
            if not stretches or stretches[-1][0] != file:
                stretches.append((file, []))
            stretches[-1][1].append(name)
        return stretches


def trace(call: Callable[[], object]) -> tuple[Walk, Walk]:
    """Trace a call in this thread.

    Parameters
    ----------
    call
        Called without arguments.

    Returns
    -------
    whole, label_path : Walk
        All of it, and the part between `BEGIN` and `NEIGHBORS`.
    """
    whole, path = Walk(), Walk()
    beginning: list[FrameType] = []  # the frame of BEGIN while it runs
    neighbor: list[FrameType] = []  # likewise of a neighbor that was entered from the label path

    def on_event(frame: FrameType, event: str, _: object) -> None:
        if event == "return":
            for entered in (beginning, neighbor):
                if entered and entered[0] is frame:
                    entered.clear()
        if event != "call" or not (file := _file_of(frame.f_code)):
            return
        name = frame.f_code.co_qualname
        whole.events.append((file, name))
        if name == BEGIN:
            beginning.append(frame)
        if beginning and not neighbor:
            if name in NEIGHBORS or file in RUNNER:
                neighbor.append(frame)
            if file not in RUNNER:
                path.events.append((file, name))

    sys.setprofile(on_event)
    try:
        call()
    finally:
        sys.setprofile(None)
    return whole, path


def trace_label(directory: Path) -> tuple[Walk, Walk]:
    """Trace `campaign.label()` at a campaign's first halt.

    Parameters
    ----------
    directory
        Of the campaign; it is created.

    Returns
    -------
    whole, label_path : Walk
    """
    with Campaign.create(directory, CONFIG, engine=ToyEngine(200, halting_at(60))) as campaign:
        campaign.prepare()
        while campaign.state is not State.LABEL:
            campaign.step()
        walks = trace(campaign.label)
        assert campaign.progress.labeled == (0, campaign.progress.labeled[1]), "two labels are traced"
    return walks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--walk", action="store_true", help="list the label path")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, path = trace_label(Path(folder) / "campaign")
    print(f"campaign.label() for two labels: {len(whole.files)} files, {whole.changes} changes of file")
    print(f"its label path: {len(path.files)} files, {path.changes} changes of file\n")
    print(f"{'file':<32}{'entered':>8}{'on the label path':>19}")
    for file, count in whole.files.most_common():
        print(f"{file:<32}{count:>8}{path.files[file] or '-':>19}")
    if arguments.walk:
        print()
        for number, (file, names) in enumerate(path.stretches):
            print(f"{number:>4} {file:<28} {' '.join(names)[:120]}")


def _file_of(code: CodeType) -> str:
    """Name a file of acemaker; empty for others."""
    path = Path(code.co_filename)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else ""


if __name__ == "__main__":
    main()
