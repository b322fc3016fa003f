"""Workers of a Dask scheduler, or of a Dask cluster on this machine."""

from __future__ import annotations

import contextlib
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from acemaker.errors import MissingLibraryError, OracleError
from acemaker.labeling.job import Answer, Job
from acemaker.labeling.pools import Function, Pool


class DaskPool(Pool):
    """Workers of a Dask scheduler, or of a cluster on this machine.

    Parameters
    ----------
    function
        Computes a label.
    n_workers
        Number of workers of a cluster on this machine.
    arguments
        ``address`` of a scheduler, or arguments of `LocalCluster`.

    Raises
    ------
    MissingLibraryError
        If Dask is not installed.

    Notes
    -----
    A client that has lost its scheduler cancels the jobs that it has submitted, and accepts further ones without
    computing them.
    """

    cancels_when_lost = True

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

    def submit(self, job: Job) -> Future[Answer]:
        """Submit a job to a worker.

        Raises
        ------
        BrokenExecutor
            If the scheduler is lost.
        OracleError
            If there is none.
        """
        if self._client is not None and self._client.status != "running":
            raise BrokenExecutor("the scheduler is lost")
        return super().submit(job)

    def _connect(self) -> Executor:
        import distributed

        if "address" in self._arguments:
            try:
                self._client = distributed.Client(**self._arguments)
            except (OSError, ValueError) as error:
                raise OracleError(
                    f"no Dask scheduler answers at {self._arguments['address']} ({error}); start one there and open "
                    "the campaign again, or with another address: Campaign.open(directory, executor_arguments={...}); "
                    "finished labels are stored"
                ) from error
        else:
            fixed = {"n_workers": self._n_workers, "threads_per_worker": 1, "dashboard_address": None}
            self._cluster = distributed.LocalCluster(**{**fixed, **self._arguments})
            self._client = distributed.Client(self._cluster)
        executor: Executor = self._client.get_executor(pure=False)  # otherwise a retry returns the earlier answer
        return executor

    def _drop(self) -> None:
        client, cluster, self._client, self._cluster = self._client, self._cluster, None, None
        with contextlib.suppress(*((Exception,) if _is_lost(client) else ())):  # no scheduler is there to cancel jobs
            super()._drop()
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()


def _is_lost(client: Any) -> bool:
    return client is not None and client.status != "running"
