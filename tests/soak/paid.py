"""A calculator that counts its labels in a folder that no fault of the campaign affects, and that fails on request."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.emt import EMT

LEDGER, BEGUN, ORDERS = "ledger.jsonl", "begun", "orders.json"

MISDEEDS = ("fails", "raises", "says nan", "says much", "says too little", "hangs", "dies")
"""What it can be told to do on one call."""


class Paid(EMT):
    """EMT; ``registry.jsonl`` has one line for each label that was computed.

    Parameters
    ----------
    folder
        Folder of the label registry; its ``orders.json`` contains the failure of a call by its number, counted over all
        processes; ``"always"`` is that of every call.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        """Label a structure, or fail as requested."""
        super().calculate(atoms, properties or ["energy"], system_changes or [])
        order = self._order()
        if order == "fails":
            from acemaker.errors import OracleError

            raise OracleError("as it was told")
        if order == "raises":
            raise ZeroDivisionError("as it was told")
        if order == "hangs":
            time.sleep(10_000)
        if order == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "says nan":
            self.results["forces"][0, 0] = np.nan
        if order == "says much":
            self.results["forces"] *= 1e9
        if order == "says too little":
            self.results["forces"] = self.results["forces"][:-1]
        if not order:
            line = json.dumps({"of": name_of(atoms), "energy": float(self.results["energy"])}) + "\n"
            with (self.folder / LEDGER).open("a") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())

    def _order(self) -> str:
        begun = self.folder / BEGUN
        with begun.open("ab") as stream:
            stream.write(b"x")
            call = stream.tell() - 1
        file = self.folder / ORDERS
        orders = json.loads(file.read_text()) if file.exists() else {}
        return str(orders.get(str(call), orders.get("always", "")))


def name_of(atoms: Any) -> str:
    """Return a name of a structure from its positions."""
    return hashlib.sha256(np.ascontiguousarray(atoms.positions).tobytes()).hexdigest()[:20]


def registry(folder: Path) -> list[dict[str, Any]]:
    """Read the registry, oldest label first."""
    file = folder / LEDGER
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
