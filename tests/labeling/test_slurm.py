"""On a real SLURM: labels, which outlive the process that submits them, and segments, which end with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from acemaker import Campaign
from acemaker.errors import ConfigError, OracleError
from acemaker.labeling.slurm import submission_script
from acemaker.results import Labels, Submission
from acemaker.states import State
from tests.labeling.halted import (
    at_halt,
    calls,
    config,
    create,
    driver,
    hung,
    journaled,
    reopen,
    running,
    tell,
)
from tests.processes import PATIENCE, start, until
from tests.soak.worlds import WORLDS, ending

SLURM = {"executor": "slurm", "executor_arguments": {"partition": "debug", "time": 10}}


@pytest.fixture(scope="module")
def sbatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The SLURM of this machine, or one that ``ACEMAKER_SLURM_LOCAL`` starts on loopback."""
    pytest.importorskip("executorlib", reason="no executorlib: pip install 'acemaker[slurm]'")
    starter = os.environ.get("ACEMAKER_SLURM_LOCAL")
    if not starter:
        if shutil.which("sinfo") is None or subprocess.run(["sinfo", "-h"], capture_output=True).returncode:
            pytest.skip("no SLURM answers, and ACEMAKER_SLURM_LOCAL names no script that starts one")
        yield
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "acemaker/slurm"
    command = ["bash", str(Path(__file__).with_name("start_slurm.sh")), starter, str(cache)]
    log = tmp_path_factory.mktemp("slurm") / "log"
    before = dict(os.environ)
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        output = []
        while not output or output[-1] != "ready":
            output.append(process.stdout.readline().rstrip("\n"))
            assert output[-1], f"SLURM does not start: {log.read_text()}"
        os.environ.update(dict(line.split("=", 1) for line in output[:-1]))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def jobs(folder: Path) -> list[str]:
    """List the jobs that have started a label of halt 1."""
    lines = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return [line[2] for line in lines if line[0] == "began" and line[1] != "none"]


OPEN = """
from acemaker import Campaign
from acemaker.testing import ToyEngine, halting_at
engine = ToyEngine(200, halting_at(100))
"""


@contextmanager
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """Start a notebook's kernel."""
    manager, client = start_new_kernel(startup_timeout=120)
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def execute(client: BlockingKernelClient, code: str) -> str:
    """Run a cell, and return what it prints."""
    output: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        output.append(content.get("text", "") + "\n".join(content.get("traceback", ())))

    client.execute_interactive(code, timeout=200, output_hook=hear)
    return "".join(output)


def queued() -> str:
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_kernel_is_killed_and_the_next_one_collects_all(tmp_path: Path, sbatch: None) -> None:
    campaign, selection = at_halt(tmp_path, SLURM)
    campaign.close()
    tell(tmp_path, **{f"c{candidate}": "sleep 40" for candidate in selection.selected})
    with kernel() as (first, client):
        client.execute(f"{OPEN}campaign = Campaign.open({str(tmp_path / 'c')!r}, engine=engine)\ncampaign.label()")
        until(lambda: calls(tmp_path, "began"))
        first.signal_kernel(signal.SIGKILL)
    assert journaled(tmp_path) == [], "the test needs a kill before the first label"
    with kernel() as (_, client):
        output = execute(
            client,
            f"{OPEN}with Campaign.open({str(tmp_path / 'c')!r}, engine=engine) as campaign:\n"
            "    begun = campaign.collect()\n    print(repr(begun))\n    print(campaign.label().candidates)\n",
        )
    assert "Labels: 4 structures of 4 missing" in output, "the test needs jobs that still run"
    assert "SLURM" in output
    assert "job " in output
    assert str(selection.selected) in output
    with reopen(tmp_path) as again:
        assert again.run().state is State.DONE
    assert len(jobs(tmp_path)) == len(set(jobs(tmp_path))) == len(selection.selected)
    assert sorted(calls(tmp_path)) == sorted(str(candidate) for candidate in selection.selected)
    assert list((tmp_path / "c/queue").rglob("*")) == [tmp_path / "c/queue/slurm"]
    until(lambda: not queued())  # a label is finished before its job has ended


@pytest.mark.slow
def test_labels_are_collected_after_the_campaign_was_reopened(tmp_path: Path, sbatch: None) -> None:
    campaign, selection = at_halt(tmp_path, SLURM)
    campaign.close()
    child = driver(tmp_path, "submit()")
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, "submit() keeps Python from ending"
    until(lambda: len(calls(tmp_path)) == 4)
    with reopen(tmp_path) as again:
        labels = again.collect()
        assert isinstance(labels, Labels)
        assert labels.candidates == selection.selected
    assert len(jobs(tmp_path)) == 4


@pytest.mark.slow
def test_a_job_that_was_submitted_twice_labels_once(tmp_path: Path, sbatch: None) -> None:
    """The driver was killed after sbatch, before it had recorded the number of the job."""
    campaign, selection = at_halt(tmp_path, SLURM)
    tell(tmp_path, **{f"c{candidate}": "sleep 6" for candidate in selection.selected})
    campaign.submit()
    campaign.close()
    until(
        lambda: (
            shutil.rmtree(tmp_path / "c/queue/slurm", ignore_errors=True) or not (tmp_path / "c/queue/slurm").exists()
        )
    )
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected
    until(lambda: not queued())
    assert sorted(calls(tmp_path, "began")) == sorted(str(candidate) for candidate in selection.selected)


@pytest.mark.slow
def test_a_job_that_dies_is_tried_again_while_others_are_waited_for(tmp_path: Path, sbatch: None) -> None:
    campaign, selection = at_halt(tmp_path, SLURM)
    first, *others = selection.selected
    tell(tmp_path, **{f"c{first}": "die once"}, **{f"c{other}": "sleep 8" for other in others})
    with campaign:
        assert campaign.label().candidates == selection.selected
    assert calls(tmp_path, "began").count(str(first)) == 2
    assert sorted(calls(tmp_path)) == sorted(map(str, selection.selected))


@pytest.mark.slow
def test_a_job_that_dies_costs_a_retry_or_its_structure(tmp_path: Path, sbatch: None) -> None:
    campaign, selection = at_halt(tmp_path, SLURM)
    first, second, *_ = selection.selected
    tell(tmp_path, **{f"c{first}": "die once", f"c{second}": "hang"})
    with campaign:
        campaign.submit()
        until(lambda: len(hung(tmp_path)) == 1)
        submission = campaign.collect()
        assert isinstance(submission, Submission)
        number = submission.notes[submission.missing.index(second)]
        subprocess.run(["scancel", number.removeprefix("job ")], check=True)
        until(lambda: not running(hung(tmp_path)[0]))
        tell(tmp_path, **{f"c{second}": "impossible"})
        labels = campaign.label()
        assert second not in labels.candidates
        assert [failure.candidate for failure in labels.failures] == [second]
        assert first in labels.candidates
        assert calls(tmp_path, "began").count(str(first)) == 2
        assert calls(tmp_path, "began").count(str(second)) == 2


@pytest.mark.slow
def test_ctrl_c_leaves_the_jobs(tmp_path: Path, sbatch: None) -> None:
    campaign, selection = at_halt(tmp_path, SLURM)
    campaign.close()
    tell(tmp_path, **{f"c{candidate}": "wait" for candidate in selection.selected})
    child = driver(tmp_path, "label()")
    until(lambda: calls(tmp_path, "began"))
    child.send_signal(signal.SIGINT)
    _, output = child.communicate(timeout=PATIENCE)
    assert output.strip().endswith("KeyboardInterrupt")
    assert queued()
    (tmp_path / "go").touch()
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected
    assert len(calls(tmp_path, "began")) == len(selection.selected)


@pytest.mark.slow
def test_jobs_outlive_a_controller_that_does_not_answer(
    tmp_path: Path, sbatch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is queried for jobs without an answer yet, and for all jobs when the campaign is reopened."""
    down, asked, failed, squeue = (tmp_path / name for name in ("down", "asked", "failed", "bin/squeue"))
    squeue.parent.mkdir()
    refused = f"[ ! -e {down} ] || {{ echo >> {failed}; echo 'Unable to contact slurm controller'; exit 1; }}"
    squeue.write_text(f"#!/bin/sh\necho >> {asked}\n{refused}\nexec {which('squeue')} $@\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    campaign, selection = at_halt(tmp_path, SLURM)
    tell(tmp_path, **{f"c{candidate}": "wait" for candidate in selection.selected})
    down.touch()
    with campaign:
        assert isinstance(campaign.submit(), Submission)
        assert failed.exists()
        with pytest.raises(OracleError, match="squeue did not answer: Unable to contact slurm controller"):
            campaign.label()
    down.unlink()

    def fail_while_they_are_watched() -> None:
        until(lambda: len(asked.read_text()) > 2 * len(selection.selected))  # two queries per job to find it again
        down.touch()
        until(failed.exists)
        (tmp_path / "go").touch()

    with reopen(tmp_path) as again:
        tell(tmp_path, **{f"c{candidate}": "wait" for candidate in selection.selected})
        asked.write_text("")
        failed.unlink()
        thread = threading.Thread(target=fail_while_they_are_watched)
        thread.start()
        assert again.label().candidates == selection.selected
        thread.join()
    assert sorted(calls(tmp_path, "began")) == sorted(str(candidate) for candidate in selection.selected)


@pytest.mark.slow
def test_walkers_explore_in_steps_of_jobs(tmp_path: Path, sbatch: None) -> None:
    """Two at a time, with the same results as without SLURM; they end when their driver is killed."""
    world = WORLDS["walkers in children"]
    here, there = (world.config(tmp_path / name) for name in ("here", "there"))
    there = there.model_copy(update={"engine": there.engine.model_copy(update={"launcher": "srun --ntasks=1"})})
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    with Campaign.create(tmp_path / "here/c", here) as campaign:
        campaign.run()
    child = start(
        [sys.executable, "-c", DRIVER.format(directory=str(tmp_path / "there/c"), config=there.model_dump_json())]
    )
    until(lambda: len(steps()) == 2 or child.poll() is not None)
    assert child.poll() is None, "the test needs two segments that run"
    child.kill()
    child.wait()
    until(lambda: not steps())
    with Campaign.open(tmp_path / "there/c") as again:
        assert again.run().state is State.DONE
    assert ending(tmp_path / "there/c") == ending(tmp_path / "here/c")
    until(lambda: not queued())


DRIVER = """
from acemaker import Campaign, CampaignConfig
Campaign.create({directory!r}, CampaignConfig.model_validate_json({config!r})).run()
"""


def steps() -> list[str]:
    """List the steps of running jobs."""
    return subprocess.run(["squeue", "-h", "-s", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()


def test_an_option_that_sbatch_refuses_is_reported_at_once(tmp_path: Path, sbatch: None) -> None:
    with create(tmp_path, {"executor": "slurm", "executor_arguments": {"partition": "nowhere"}}) as campaign:
        with pytest.raises(OracleError, match=r"sbatch refused the job: .*invalid partition"):
            campaign.prepare()
        assert not campaign.progress.failures
    with reopen(tmp_path, executor_arguments={"partition": "debug"}) as again:
        again.prepare()


def test_the_script_has_the_requested_options() -> None:
    script = submission_script(
        {"partition": "long", "cpus_per_task": 8, "exclusive": True, "setup": ["module load qe"]}
    )
    for line in ("#SBATCH --partition=long", "#SBATCH --cpus-per-task=8", "#SBATCH --exclusive", "module load qe"):
        assert line in script.splitlines()
    for wrong in ({"chdir": "/tmp"}, {"partition": "a\n#SBATCH --x"}):
        with pytest.raises(ConfigError, match="options of sbatch by their long names"):
            submission_script(wrong)


def test_paths_that_a_shell_would_split_are_refused(tmp_path: Path, sbatch: None) -> None:
    with pytest.raises(ConfigError, match="no path that a shell would have to quote"):
        create(tmp_path / "with spaces", SLURM)
    assert config(tmp_path, SLURM).labeling.executor == "slurm"
