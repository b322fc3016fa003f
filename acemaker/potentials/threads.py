"""Limit the number of threads of the linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # the search for loaded libraries is slow, and its result does not change


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one BLAS thread.

    For matrices with a few hundred columns, waking a second thread takes longer than the computation, and many times
    longer if another program occupies the second core. With one thread, sums also do not depend on the number of cores.

    Parameters
    ----------
    function
        Function with linear algebra on small matrices.

    Returns
    -------
    callable
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
