"""Dask's workers: a scheduler's, or those of a cluster on this machine."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from acemaker.errors import MissingLibraryError
from acemaker.labelling.pools import Function, Pool


class DaskPool(Pool):
    """Workers of a Dask scheduler, or of a cluster on this machine.

    Parameters
    ----------
    function
        Makes a label.
    n_workers
        Of a cluster of this machine's.
    arguments
        ``address`` of a scheduler, or arguments of `LocalCluster`.

    Raises
    ------
    MissingLibraryError
        If Dask is not installed.
    """

    def __init__(self, function: Function, n_workers: int, arguments: dict[str, Any]) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise MissingLibraryError(
                f"executor 'dask' needs distributed ({error}); pip install 'acemaker[dask]'"
            ) from error
        super().__init__(function, self._connect, "Dask")
        self._n_workers, self._arguments = n_workers, arguments
        self._client: Any = None
        self._cluster: Any = None

    def _connect(self) -> Executor:
        import distributed

        if "address" in self._arguments:
            self._client = distributed.Client(**self._arguments)
        else:
            fixed = {"n_workers": self._n_workers, "threads_per_worker": 1, "dashboard_address": None}
            self._cluster = distributed.LocalCluster(**{**fixed, **self._arguments})
            self._client = distributed.Client(self._cluster)
        executor: Executor = self._client.get_executor(pure=False)  # else a retry gets the old answer
        return executor

    def _drop(self) -> None:
        super()._drop()
        client, cluster, self._client, self._cluster = self._client, self._cluster, None, None
        for one in (client, cluster):
            if one is not None:
                one.close()
