"""A calculator that follows an order for each structure; with few imports, since each label imports it again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.emt import EMT

from acemaker.errors import Cause, OracleError

ORDERS = "orders.json"


class Told(EMT):
    """EMT; ``orders.json`` contains the order and the number of each candidate, and ``calls`` records the calls."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties or ["energy"], system_changes or [])
        number, order = json.loads((self.folder / ORDERS).read_text()).get(mark(atoms), ("none", ""))
        self.note(f"began {number} {os.environ.get('SLURM_JOB_ID', '')}")
        if order == "hang":  # a child with another child, in a new session
            subprocess.run(["setsid", "sh", "-c", f"sleep 300 & echo $! >> {self.folder}/pids; wait"])
        elif order.startswith("sleep"):
            time.sleep(float(order.split()[1]))
        elif order == "wait":
            while not (self.folder / "go").exists():
                time.sleep(0.1)
        elif order == "die" or (order == "die once" and not (self.folder / f"died {number}").exists()):
            (self.folder / f"died {number}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif order == "impossible":
            raise OracleError("as it was told", Cause.BAD_STRUCTURE)
        elif order == "missing":
            raise OracleError("as it was told", Cause.PROGRAM_MISSING)
        elif order == "fill":
            Path("/dev/full").write_text("what a program writes")
        elif order == "wipe" and not (self.folder / "wiped").exists():
            (self.folder / "wiped").touch()
            shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        self.note(f"done {number}")

    def note(self, line: str) -> None:
        with (self.folder / "calls").open("a") as stream:
            stream.write(line + "\n")


def mark(atoms: Atoms) -> str:
    """Return a hash of a structure's positions."""
    return hashlib.sha256(atoms.positions.tobytes()).hexdigest()
