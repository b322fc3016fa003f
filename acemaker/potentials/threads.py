"""How many threads the linear algebra may use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking for the libraries takes a while, and they stay


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one BLAS thread.

    For matrices of some hundred columns, waking a second thread takes longer than the work, and many
    times so where another program keeps the second core busy. It also makes sums independent of the
    number of cores.

    Parameters
    ----------
    function
        Does linear algebra on small matrices.

    Returns
    -------
    callable
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
