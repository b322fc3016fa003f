"""The kernel of a headless notebook: this very Python, whatever kernels are installed."""

from __future__ import annotations

import os
from typing import Any

from acemaker.formatting.interactive import VARIABLE
from acemaker.headless.stop import Stop


def kernel_manager_class(stop: Stop) -> type:
    """Make the class that starts the kernel.

    Parameters
    ----------
    stop
        Is told the kernel's process.

    Returns
    -------
    type
        For nbclient's ``kernel_manager_class``.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            # without folders to look into, the only kernel is the native one, which is sys.executable
            super().__init__(**{**options, "kernel_spec_manager": KernelSpecManager(kernel_dirs=[])})
            if self.has_trait("transport_encryption"):  # newer kernels warn on the terminal without it
                self.set_trait("transport_encryption", "auto")

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # theirs is a variable
            # nobody watches: static twins take the place of widgets, which would be empty in the executed notebook
            options["env"] = {**(options.get("env") or os.environ), VARIABLE: "static"}
            # its own log says that it was interrupted whenever it is shut down; errors come by the notebook
            arguments = [*options.pop("extra_arguments", []), "--IPKernelApp.log_level=CRITICAL"]
            await super().start_kernel(**options, extra_arguments=arguments)
            stop.kernel = getattr(self.provisioner, "pid", None)

    return OwnKernelManager
