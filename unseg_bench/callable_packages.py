"""`unseg_bench.run(...)`: the packages run, score, compare and report are functions of the API too."""

import inspect
import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """A package that can be called: the function of its name in `unseg_bench.api` answers."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the function has them
        return self._function(*arguments, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function)

    @property
    def _function(self) -> Any:  # noqa: ANN401 - one of several
        return getattr(import_module("unseg_bench.api"), self.__name__.rpartition(".")[2])


def make_callable(package: str) -> None:
    """Let a package of the house be called by its name; its modules stay where they are."""
    sys.modules[package].__class__ = _CallablePackage
