"""The kernel of a headless notebook, which runs this Python, and its end at Ctrl-C and SIGTERM."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from acemaker.formatting.interactive import VARIABLE

GRACE = 8.0
"""Time in s between interruption and kill of the kernel; batch systems wait at least 10 s before they kill all."""


class Stop:
    """Stop request of a running notebook, and its kernel.

    Attributes
    ----------
    signal : int or None
        Signal that was received.
    kernel : int or None
        Process id of the kernel, which leads its own process group; None before it has started.
    begun : bool
        Whether a cell has started, so that an interruption is needed to end it cleanly.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.kernel: int | None = None
        self.begun = False

    def catch(self, number: int, _: FrameType | None) -> None:
        """Handle a signal: the first one interrupts the kernel, the second one kills it."""
        is_kill = self.signal is not None or not self.begun
        self.signal = number
        if self.kernel is None:
            raise KeyboardInterrupt
        self.send(signal.SIGKILL if is_kill else signal.SIGINT)
        if not is_kill:
            # an interruption between two cells has no effect, but then `check` prevents the next cell
            timer = threading.Timer(GRACE, self.send, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def send(self, number: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.kernel is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.kernel, number)

    def check(self, **_: object) -> None:
        """Record that a cell starts, and prevent it after a signal.

        Raises
        ------
        KeyboardInterrupt
            If a signal was received.
        """
        self.begun = True
        if self.signal is not None:
            raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Catch signals during a block, and kill the kernel's process group at its end.

    Yields
    ------
    Stop
        Never set outside the main thread, where signals cannot be caught.
    """
    stop = Stop()
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # ignored e.g. by nohup
                handlers[number] = signal.signal(number, stop.catch)
    try:
        yield stop
    finally:
        stop.send(signal.SIGKILL)
        stop.kernel = None
        for number, handler in handlers.items():
            signal.signal(number, handler)


def kernel_manager_class(stop: Stop) -> type:
    """Return the class that starts the kernel.

    Parameters
    ----------
    stop
        Receives the process id of the kernel.

    Returns
    -------
    type
        For nbclient's ``kernel_manager_class``.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            # without folders of kernels, the only kernel is the native one, which runs sys.executable
            super().__init__(**{**options, "kernel_spec_manager": KernelSpecManager(kernel_dirs=[])})
            if self.has_trait("transport_encryption"):  # newer versions print a warning without it
                self.set_trait("transport_encryption", "auto")

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # untyped in the base class
            # static fallbacks replace widgets, which would be empty in the executed notebook
            options["env"] = {**(options.get("env") or os.environ), VARIABLE: "static"}
            # the kernel logs each shutdown as an interruption; errors are reported by the notebook
            arguments = [*options.pop("extra_arguments", []), "--IPKernelApp.log_level=CRITICAL"]
            await super().start_kernel(**options, extra_arguments=arguments)
            stop.kernel = getattr(self.provisioner, "pid", None)

    return OwnKernelManager
