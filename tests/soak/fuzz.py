"""Changed files are read within limits of time and memory, with a correct result or an `AcemakerError`."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from acemaker.errors import AcemakerError
from tests.soak.changes import FORGERIES
from tests.soak.readers import Reader, make_readers

SECONDS, BYTES = 20, 2 << 30
"""For one input, and for all of a process."""


PATIENCE = 600.0
"""s, for all inputs of a process."""


class Hung(BaseException):
    """Reading took too long."""


def fuzz(pipe: Connection, seed: int, n: int) -> None:
    """Change files and read them, in a process with limited memory.

    Parameters
    ----------
    pipe
        Receives counts by reader and outcome, and violations.
    seed
        Seed of all random numbers.
    n
        Number of inputs.
    """
    warnings.simplefilter("ignore")
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"], tempfile.tempdir = folder, folder
        readers = make_readers(Path(folder))
        expected = {name: _read(reader) for name, reader in readers.items()}
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.signal(signal.SIGALRM, _stop)
        for number in range(n):
            rng = random.Random(f"{seed} {number}")  # times in a journal differ in length, and draw more or less
            name = rng.choice(list(readers))
            forgery, content = rng.choice(list(FORGERIES)), readers[name].file.read_bytes()
            readers[name].file.write_bytes(FORGERIES[forgery](content, rng))
            outcome, said = _judge(readers[name], expected[name])
            counts[name, outcome] += 1
            if outcome == "VIOLATION":
                wrong.append(f"seed {seed}, input {number}: {name}, {forgery}: {said}")
            readers[name].file.write_bytes(content)
    with contextlib.suppress(OSError):
        pipe.send((counts, wrong))


def fuzz_apart(seed: int, n: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Run `fuzz` in a separate process, which may crash."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=fuzz, args=(theirs, seed, n))
    process.start()
    theirs.close()
    try:
        with mine:
            if not mine.poll(PATIENCE):
                return Counter(), [f"seed {seed}: {n} inputs took more than {PATIENCE} s"]
            counts, wrong = mine.recv()
            return counts, wrong
    except EOFError:
        process.join()
        return Counter(), [f"seed {seed}: the process that read {n} inputs ended with {process.exitcode}"]
    finally:
        process.kill()
        process.join()
        process.close()


def _read(reader: Reader) -> Any:
    try:
        return reader.read(reader.file)
    except AcemakerError as error:
        raise AssertionError(f"{reader.file} cannot be read before it was changed: {error}") from error


def _judge(reader: Reader, expected: Any) -> tuple[str, str]:
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        found = reader.read(reader.file)
    except AcemakerError:
        return "typed error", ""
    except Hung:
        return "VIOLATION", f"took more than {SECONDS} s"
    except BaseException as error:
        return "VIOLATION", f"{error!r:.300}\n{''.join(traceback.format_tb(error.__traceback__)[-3:])}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if not reader.summed:
        return "read", ""
    begun = isinstance(found, list) and isinstance(expected, list) and found == expected[: len(found)]
    if found is None or found == expected or begun:
        return "read", ""
    return "VIOLATION", "was read as something else than was written"


def _stop(*_: object) -> None:
    raise Hung
