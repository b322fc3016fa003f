"""Universal potentials with weights from their packages or from a checkpoint file; nothing is downloaded.

The dotted paths ``acemaker.oracles.universal:chgnet`` and ``acemaker.oracles.universal:sevennet`` can be used for every
setting that accepts a calculator.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from ase.calculators.calculator import BaseCalculator

from acemaker.errors import ConfigError, MissingLibraryError

CHGNET = ("0.3.0", "0.2.0", "r2scan")
"""Models in chgnet's wheel: the first two for PBE with Materials Project's U, the last for r2SCAN."""

SEVENNET = {"7net-0": "SEVENNET_0_11Jul2024", "7net-l3i5": "SEVENNET_l3i5", "7net-mf-0": "SEVENNET_MF_0"}
"""Models in sevenn's wheel, with the names of their files there. The last requires ``modal``, 'PBE' or 'R2SCAN'."""


def chgnet(model: str = CHGNET[0], threads: int = 1) -> BaseCalculator:
    """Create a calculator of CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)).

    Parameters
    ----------
    model
        One of `CHGNET`, or a checkpoint file.
    threads
        Number of torch's threads in the whole process. More than one is hardly faster, and its results differ in the
        last digits from run to run.

    Returns
    -------
    chgnet.model.dynamics.CHGNetCalculator
        For crystals only, not for clusters.

    Raises
    ------
    MissingLibraryError
        If the package is missing.
    ConfigError
        If the model is not available locally.
    """
    with _quiet("chgnet", threads):
        from chgnet.model import CHGNet
        from chgnet.model.dynamics import CHGNetCalculator

        if model in CHGNET:
            network = CHGNet.load(model_name=model, use_device="cpu", verbose=False)
        else:
            network = CHGNet.from_file(str(_file(model, "chgnet", CHGNET)))
        calculator: BaseCalculator = CHGNetCalculator(model=network, use_device="cpu", on_isolated_atoms="ignore")
    return calculator


def sevennet(model: str = "7net-0", modal: str | None = None, threads: int = 1) -> BaseCalculator:
    """Create a calculator of SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)).

    Parameters
    ----------
    model
        One of `SEVENNET`, or a checkpoint file.
    modal
        Fidelity of a model with several fidelities.
    threads
        Number of torch's threads in the whole process. More than one is hardly faster, and its results differ in the
        last digits from run to run.

    Returns
    -------
    sevenn.calculator.SevenNetCalculator

    Raises
    ------
    MissingLibraryError
        If the package is missing.
    ConfigError
        If the model is not available locally.
    """
    with _quiet("sevenn", threads):
        from sevenn import _const
        from sevenn.calculator import SevenNetCalculator

        # pass a path, since SevenNet downloads a model that it does not find by its name
        file = getattr(_const, SEVENNET[model]) if model in SEVENNET else _file(model, "sevennet", tuple(SEVENNET))
        try:
            calculator: BaseCalculator = SevenNetCalculator(str(file), modal=modal, device="cpu")
        except ValueError as error:
            raise ConfigError(f"sevennet: model {model!r} with modal {modal!r}: {error}") from error
    return calculator


def mace(model: str = "", head: str | None = None, default_dtype: str = "float64", threads: int = 1) -> BaseCalculator:
    """Create a calculator of a MACE model (Batatia et al., NeurIPS 2022).

    Parameters
    ----------
    model
        A model file; nothing is downloaded.
    head
        Head of a model with several heads.
    default_dtype
        Precision, ``"float64"`` or ``"float32"``.
    threads
        Number of torch's threads in the whole process.

    Returns
    -------
    mace.calculators.MACECalculator

    Raises
    ------
    MissingLibraryError
        If the package is missing.
    ConfigError
        If the model is not a file.
    """
    path = Path(model).expanduser()
    if not model or not path.is_file():
        raise ConfigError(
            f"mace: expected the path of a model file, oracle_arguments={{'model': 'mace.model'}}, got {model!r}; "
            "nothing is downloaded: download a model yourself, e.g. from https://github.com/ACEsuit/mace-foundations"
        )
    with _quiet("mace-torch", threads):
        from mace.calculators import MACECalculator

        heads = {"head": head} if head is not None else {}
        calculator: BaseCalculator = MACECalculator(
            model_paths=str(path.absolute()), device="cpu", default_dtype=default_dtype, **heads
        )
    return calculator


def _file(model: str, name: str, models: tuple[str, ...]) -> Path:
    path = Path(model).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"{name}: expected a model included in its package ({', '.join(models)}) or a checkpoint file, got "
            f"{model!r}; nothing is downloaded"
        )
    return path


@contextlib.contextmanager
def _quiet(package: str, threads: int) -> Iterator[None]:
    """Suppress output and warnings of a package during import, and set the number of torch's threads."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            import torch

            torch.set_num_threads(threads)
            yield
        except ImportError as error:
            install = "'acemaker[universal]'" if package in ("chgnet", "sevenn") else package
            raise MissingLibraryError(
                f"{package} cannot be imported ({error}); without a GPU first install torch for CPUs, then pip install "
                f"{install}"
            ) from error
