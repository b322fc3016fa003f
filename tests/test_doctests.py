"""The examples in docstrings are run, and every public function and class has one."""

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import acemaker
import acemaker.analysis
import acemaker.testing

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(acemaker.__path__, "acemaker.")]
    return ["acemaker", *(name for name in names if not name.endswith("__main__"))]


def with_examples() -> list[str]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        name
        for name in modules()
        if ">>>" in Path(str(importlib.import_module(name).__file__)).read_text()
        and any(test.examples for test in finder.find(importlib.import_module(name)))
    ]


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_of_a_module_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert results.attempted > 0
    assert results.failed == 0


def public() -> dict[str, Any]:
    packages = (acemaker, acemaker.analysis, acemaker.testing)
    named = {f"{package.__name__}.{name}": getattr(package, name) for package in packages for name in package.__all__}
    return {name: thing for name, thing in named.items() if inspect.isclass(thing) or inspect.isfunction(thing)}


@pytest.mark.parametrize("name", public())
def test_every_public_function_and_class_has_an_example(name: str) -> None:
    assert ">>>" in (public()[name].__doc__ or "")
