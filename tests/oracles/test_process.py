"""Labels in separate processes: a failure ends only its process, with a message of one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from acemaker import Campaign
from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, OracleError
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.process import ProcessOracle, make_oracle
from acemaker.oracles.scratch import sweep
from acemaker.oracles.worker import write_job
from acemaker.states import State
from acemaker.testing import OracleContract, ToyEngine, halting_at, toy_config
from tests.conftest import copper, rattled
from tests.processes import PATIENCE, start, until

HERE = "tests.oracles.test_process"


class TestOwnProcess(OracleContract):
    def make_oracle(self) -> Oracle:
        return make_oracle(OracleConfig(oracle="ase.calculators.emt:EMT"), ("Cu",))

    def make_structure(self) -> Atoms:
        return rattled(copper(1), 1)[0]


class Odd(EMT):
    """EMT that fails as ordered."""

    def __init__(self, how: str = "", pid_file: str = "") -> None:
        super().__init__()
        self.how, self.pid_file = how, pid_file

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties or ["energy"], system_changes or [])
        if self.how == "hang":  # a child with a child of its own, in a session of its own
            subprocess.run(["setsid", "sh", "-c", f"sleep 300 & echo $! > {self.pid_file}; wait"])
        if self.how == "nan":
            self.results["forces"][0, 0] = np.nan
        if self.how == "huge":
            self.results["forces"][0, 0] = 1e5
        if self.how == "net":
            self.results["forces"] += 1.0
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exit":
            sys.stderr.write("the license has run out\n")
            os._exit(3)
        if self.how == "delete":
            subprocess.run(["rm", "-rf", str(Path.cwd().parent)])
        if self.how == "abinit":
            Path("abinit.abo").write_text("\n WARNING -\n  nstep= 2 was not enough SCF cycles to converge;\n")
        if self.how == "cp2k":
            Path("cp2k.out").write_text(" *** SCF run NOT converged ***\n *** outer SCF loop converged in 2 steps\n")


def odd(tmp_path: Path, how: str, **settings: Any) -> ProcessOracle:
    arguments = {"how": how, "pid_file": str(tmp_path / "pid")}
    config = OracleConfig(
        oracle=f"{HERE}:Odd", oracle_arguments=arguments, scratch=str(tmp_path / "scratch"), **settings
    )
    return ProcessOracle(config, ("Cu",), tmp_path / "kept")


def nothing_is_left(tmp_path: Path) -> bool:
    """Return whether no folder and no process in one is left."""
    scratch = tmp_path / "scratch"
    running = []
    for process in psutil.process_iter():
        try:
            running.append(str(scratch) in process.cwd())
        except psutil.Error:
            continue
    return not any(running) and not list(scratch.iterdir())


def gone(pid: int, within: float = PATIENCE) -> bool:
    deadline = time.monotonic() + within
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_the_same_numbers_as_in_this_process(tmp_path: Path) -> None:
    atoms = rattled(copper(), 1)[0]
    own = odd(tmp_path, "").label(atoms)
    here = CalculatorOracle(EMT, 100.0).label(atoms)
    assert own.get_potential_energy() == here.get_potential_energy()
    assert np.array_equal(own.get_forces(), here.get_forces())
    assert np.array_equal(own.get_stress(), here.get_stress())
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("how", "cause", "words"),
    [
        ("nan", Cause.NONSENSE, r"^nonsense result: expected a finite forces"),
        ("huge", Cause.NONSENSE, r"^nonsense result: the largest force component is 1e\+05 eV/Å"),
        ("net", Cause.NONSENSE, r"^nonsense result: forces add up to 1.73 eV/Å per atom, above max_net_force 0.1"),
        ("kill", Cause.KILLED, r"^killed: the labeling process failed \(signal SIGKILL"),
        ("exit", Cause.FAILED, r"^the labeling process failed \(exit status 3\): the license has run out"),
        ("delete", Cause.SCRATCH_LOST, r"^scratch lost: .* was deleted while the label was computed in it"),
        ("abinit", Cause.NOT_CONVERGED, r"^not converged: .*abinit.abo: nstep= 2 was not enough SCF cycles"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(tmp_path: Path, how: str, cause: Cause, words: str) -> None:
    with pytest.raises(OracleError, match=words) as caught:
        odd(tmp_path, how).label(rattled(copper(), 1)[0])
    assert caught.value.cause is cause
    assert "\n" not in str(caught.value)
    assert nothing_is_left(tmp_path)


def test_what_a_program_takes_back_does_not_count(tmp_path: Path) -> None:
    assert odd(tmp_path, "cp2k").label(rattled(copper(), 1)[0])


def test_a_hung_label_is_ended_in_its_time_with_its_grandchildren(tmp_path: Path) -> None:
    for limit in (4, 16, 64):  # on a busy machine it takes its time until it hangs
        begun = time.monotonic()
        with pytest.raises(OracleError, match=rf"^timed out: no label within oracle_timeout = {limit} s") as caught:
            odd(tmp_path, "hang", oracle_timeout=limit).label(rattled(copper(), 1)[0])
        assert time.monotonic() - begun < limit + 60  # it sleeps for 300 s
        assert caught.value.cause is Cause.TIMED_OUT
        if (tmp_path / "pid").is_file():
            break
    assert gone(int((tmp_path / "pid").read_text()), 0.0)
    assert nothing_is_left(tmp_path)


def test_the_outputs_of_a_failure_are_kept_where_it_says(tmp_path: Path) -> None:
    for number in (1, 2):
        with pytest.raises(OracleError, match=rf"outputs are in {tmp_path}/kept/failure_000{number}"):
            odd(tmp_path, "abinit").label(rattled(copper(), 1)[0])
    assert "not enough" in (tmp_path / "kept/failure_0002/abinit.abo").read_text()


def owner(tmp_path: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a process that waits for a label which hangs, and tell it and the grandchild."""
    code = (
        "from pathlib import Path\nfrom tests.oracles.test_process import odd\n"
        "from tests.conftest import copper, rattled\n"
        f"odd(Path({str(tmp_path)!r}), 'hang').label(rattled(copper(), 1)[0])\n"
    )
    child = start([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while not ((tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().strip()):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    return child, int((tmp_path / "pid").read_text())


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    child, grandchild = owner(tmp_path)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE)
    assert said.strip().endswith("KeyboardInterrupt")
    assert gone(grandchild)
    assert nothing_is_left(tmp_path)


def test_when_the_owner_is_killed_it_ends_and_the_next_one_sweeps_up(tmp_path: Path) -> None:
    child, grandchild = owner(tmp_path)
    child.kill()
    child.wait()
    assert gone(grandchild)
    assert len(list((tmp_path / "scratch").iterdir())) == 1
    odd(tmp_path, "")
    until(lambda: nothing_is_left(tmp_path))  # a process that was killed takes a moment to end


def test_a_label_that_was_finished_when_its_owner_was_killed_is_not_paid_for_again(tmp_path: Path) -> None:
    """Between the end of the worker and the campaign's file, only the scratch folder contains the label."""
    atoms, pid = rattled(copper(1), 1)[0], 2**22 + 1
    config = odd(tmp_path, "")._config

    def leave(config: OracleConfig = config, campaign: str = "kept") -> Path:
        folder = tmp_path / f"scratch/acemaker-label-{socket.gethostname().replace('-', '_')}-{pid}-x"
        folder.mkdir(parents=True)
        write_job(folder, config, ("Cu",), atoms, str(tmp_path / campaign))
        (folder / "run/wavefunctions").write_bytes(bytes(1000))
        subprocess.run([sys.executable, "-m", "acemaker.oracles.worker"], cwd=folder, check=True)
        assert (folder / "label.npz").exists()
        return folder

    folder = leave()
    with np.load(folder / "label.npz") as label:
        right = dict(label)
    np.savez(folder / "label.npz", **right | {"energy": np.float64(-7.5)})  # which no other label has
    oracle = odd(tmp_path, "", oracle_timeout=50.0)  # which a reopened campaign may change
    assert not (folder / "run").exists(), "what was large is kept, too"
    other = atoms.copy()
    other.rattle(0.01)
    assert oracle.label(other).get_potential_energy() != -7.5
    assert oracle.label(atoms).get_potential_energy() == -7.5
    assert oracle.label(atoms).get_potential_energy() != -7.5, "it was taken twice"
    assert nothing_is_left(tmp_path)

    for changed in ({"campaign": "another"}, {"config": config.model_copy(update={"min_label_distance": 0.4})}):
        others = leave(**changed)
        np.savez(others / "label.npz", **right | {"energy": np.float64(-7.5)})
        assert odd(tmp_path, "").label(atoms).get_potential_energy() != -7.5, "another's label was taken"
        shutil.rmtree(others)
    file = leave() / "label.npz"  # one that was damaged, or has waited for too long, is no label
    file.write_bytes(file.read_bytes()[:-50])
    assert odd(tmp_path, "").label(atoms).get_potential_energy() == pytest.approx(float(right["energy"]))
    os.utime(file, (1, 1))
    odd(tmp_path, "")
    assert nothing_is_left(tmp_path)


def test_folders_of_the_living_and_of_others_stay(tmp_path: Path) -> None:
    for name in (f"acemaker-label-elsewhere-{2**22 + 1}-x", "acemaker-label-elsewhere-1-x", "results"):
        (tmp_path / name).mkdir()
    assert sweep(str(tmp_path)) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_a_scratch_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file")
    with pytest.raises(OracleError, match=r"^scratch lost: cannot create a folder in .*; set scratch") as caught:
        odd(tmp_path, "").label(rattled(copper(), 1)[0])
    assert caught.value.cause is Cause.SCRATCH_LOST


def test_atoms_on_top_of_each_other_cost_no_calculation(tmp_path: Path) -> None:
    atoms = copper()
    atoms.positions[1] = atoms.positions[0] + [0.0, 0.0, 0.1]
    with pytest.raises(OracleError, match=r"^impossible structure: two atoms are 0.100 Å apart") as caught:
        odd(tmp_path, "kill").label(atoms)
    assert caught.value.cause is Cause.BAD_STRUCTURE
    atoms.positions[1, 0] = np.nan
    with pytest.raises(OracleError, match="finite positions"):
        odd(tmp_path, "kill").label(atoms)


def test_who_runs_where() -> None:
    def kind(oracle: str, **settings: Any) -> type[Oracle]:
        return type(make_oracle(OracleConfig(oracle=oracle, **settings), ("Cu",)))

    assert kind("emt") is CalculatorOracle
    assert kind("emt", label_process="own") is ProcessOracle
    assert kind("ase.calculators.emt:EMT") is ProcessOracle
    assert kind("ase.calculators.emt:EMT", label_process="this") is CalculatorOracle
    with pytest.raises(ConfigError, match="cannot be imported"):
        make_oracle(OracleConfig(oracle="nowhere:thing"), ("Cu",))


class Moody(EMT):
    """EMT that hangs, or dies, at some calls of a campaign; a file counts them."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties or ["energy"], system_changes or [])
        with (self.folder / "calls").open("a") as stream:
            stream.write("x")
        call = (self.folder / "calls").stat().st_size
        if call == 3:
            time.sleep(300)
        if call == 4:
            os.kill(os.getpid(), signal.SIGKILL)


def moody(tmp_path: Path, **otf: Any) -> Any:
    config = toy_config(**otf).model_dump()
    config["oracle"] = {
        "oracle": f"{HERE}:Moody",
        "oracle_arguments": {"folder": str(tmp_path)},
        "oracle_timeout": 20,  # also of those that do not hang, on a busy machine
        "scratch": str(tmp_path / "scratch"),
        "oracle_check": False,  # its calls would be counted, too
    }
    return type(toy_config())(**config)


def test_a_campaign_goes_on_without_what_cannot_be_labeled(tmp_path: Path) -> None:
    """The halted structure's label hangs, the next is killed: both are left out, the third candidate is labeled."""
    config = moody(tmp_path, n_select=1, max_retries=0)
    campaign = Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(100))).run()
    assert campaign.state is State.DONE
    journal = [json.loads(line) for line in (tmp_path / "c/journal.jsonl").read_text().splitlines()]
    causes = [event["cause"] for event in journal if event["event"] == "label_failed"]
    assert [cause.split(":")[0] for cause in causes] == ["timed out", "killed"]
    assert len(campaign.progress.labels) == 3
    assert (tmp_path / "calls").stat().st_size == 5, "something that was paid for was asked for again"
    assert (tmp_path / "c/oracle_failures/failure_0002").is_dir()
    assert nothing_is_left(tmp_path)
    campaign.close()
    assert Campaign.open(tmp_path / "c", engine=ToyEngine(), oracle_timeout=60).config.oracle.oracle_timeout == 60


def test_a_campaign_that_is_killed_in_a_label_pays_for_none_twice(tmp_path: Path) -> None:
    """SIGKILL while the third label hangs; the campaign goes on from the two that are there."""
    code = (
        "from pathlib import Path\nfrom acemaker import Campaign\n"
        "from acemaker.testing import ToyEngine, halting_at\nfrom tests.oracles.test_process import moody\n"
        f"folder = Path({str(tmp_path)!r})\nconfig = moody(folder, n_select=1, max_retries=1)\n"
        "Campaign.create(folder / 'c', config, engine=ToyEngine(200, halting_at(100))).run()\n"
    )
    child = start([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not ((tmp_path / "calls").is_file() and (tmp_path / "calls").stat().st_size == 3):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    child.wait()
    campaign = Campaign.open(tmp_path / "c", engine=ToyEngine(200, halting_at(100)))
    assert campaign.run().state is State.DONE
    assert (tmp_path / "calls").stat().st_size == 5  # two, the one that hung, one that was killed, one that came
    assert [entry.candidate for entry in campaign.progress.labels] == [0, 1, 0]
    assert nothing_is_left(tmp_path)
