"""A real JupyterLab and a real Chromium, whose processes end with the tests."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("ACEMAKER_CHROMIUM") or shutil.which("chromium")
FLAGS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    "--no-first-run",
]
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    folder: Path
    url: str
    token: str

    def page_of(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/{notebook}?token={self.token}"


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder of the screenshots."""
    folder = Path(os.environ.get("ACEMAKER_SCREENSHOTS", ROOT / "runs" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab", reason="no jupyterlab: pip install 'acemaker[notebooks]'")
    pytest.importorskip("nglview", reason="no nglview: pip install 'acemaker[notebooks]'")
    folder, private = tmp_path / "lab", tmp_path / "private"
    folder.mkdir()
    settings = private / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Lab(folder, f"http://127.0.0.1:{port}", secrets.token_hex(16))
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environment = {
        **os.environ,
        **{f"JUPYTER_{name}": str(private / name.lower()) for name in names},
        "IPYTHONDIR": str(private / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("ACEMAKER_DISPLAY", None)
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    words += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    words += [f"--IdentityProvider.token={running.token}", "--LabApp.extension_manager=readonly"]
    with (private / "log").open("w") as log:
        server = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(server, running, private / "log")
        yield running
    finally:
        _end(server)


def _wait(server: subprocess.Popen[bytes], lab: Lab, log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5).close()
            return
        time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, its kernels, and what these have started."""
    try:
        family = psutil.Process(server.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    server.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(20)
    ended: list[Any] = [*family, server]
    for process in ended:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    server.wait()
    assert not psutil.wait_procs(family, timeout=10)[1]


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of Chromium; ``page.errors`` collects what goes wrong in it."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'acemaker[browser]'")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium, or name one in ACEMAKER_CHROMIUM")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            opened = browser.new_page(viewport={"width": 1300, "height": 1000})
            opened.set_default_timeout(180_000)  # WebGL by software, on a machine that may be busy
            opened.errors = []
            opened.on("pageerror", lambda error: opened.errors.append(str(error)))
            opened.on("console", lambda line: opened.errors.append(line.text) if line.type == "error" else None)
            yield opened
        finally:
            browser.close()
