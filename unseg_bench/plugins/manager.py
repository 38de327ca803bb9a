"""Finds plugins: installed ones by entry point, and single files by path. One that fails does not stop the others."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

import pluggy

from unseg_bench.errors import PluginError
from unseg_bench.plugins import hookspecs
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.digests import digest_of, source_digest
from unseg_bench.plugins.method import Method
from unseg_bench.plugins.metric import Metric
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.plugins.recipes import Recipe

if TYPE_CHECKING:
    import typer

_FILE_MODULE = "ubench_file_"
Role = TypeVar("Role", bound=Method | Dataset)
Value = TypeVar("Value", bound=Metric | Recipe)


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be loaded: its name, where it is, and the error in one line."""

    name: str
    source: str
    reason: str


class Plugins:
    """All plugins found, by role and name.

    `methods` and `datasets` map names to classes, `metrics` and `recipes` names to values, `sources` names of methods
    and data sets to where they came from, and `broken` lists what did not load.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.methods: dict[str, type[Method]] = {}
        self.datasets: dict[str, type[Dataset]] = {}
        self.metrics: dict[str, Metric] = {}
        self.recipes: dict[str, Recipe] = {}
        self.sources: dict[str, str] = {}
        self.broken: list[Broken] = []
        self._files: dict[Path, type[Method]] = {}

    def load_entry_points(self, points: Iterable[EntryPoint] | None = None) -> None:
        """Load every installed plugin; a failing one is added to `broken`."""
        found = entry_points(group=hookspecs.PROJECT) if points is None else points
        for point in sorted(found, key=lambda point: point.name):
            source = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            try:
                self._register(point.load(), point.name, source)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
                self.broken.append(Broken(point.name, source, f"{type(error).__name__}: {error}"))

    def load_file(self, path: Path, source: str | None = None) -> type[Method]:
        """Load one file with exactly one method, registered by hook or just defined there; raises PluginError.

        `source` is its text, where that was read before. A file that was loaded before is not loaded again.
        """
        if path.resolve() in self._files:
            return self._files[path.resolve()]
        module = _import_file(path, source)
        before = set(self.methods)
        if hasattr(module, "ubench_methods"):
            self._register(module, module.__name__, str(path))
        else:
            for method in _methods_defined_in(module):
                self._add(self.methods, method, str(path))
        new = [name for name in self.methods if name not in before]
        if len(new) != 1:
            raise PluginError(f"{path}: expected one subclass of unseg_bench.Method, found {len(new)}")
        self._files[path.resolve()] = self.methods[new[0]]
        return self._files[path.resolve()]

    def method(self, name: str) -> type[Method]:
        """Return the installed method called `name`; raises PluginError naming the nearest known one."""
        return self._find(self.methods, name, "method")

    def dataset(self, name: str) -> type[Dataset]:
        """Return the data set called `name`; raises PluginError naming the nearest known one."""
        return self._find(self.datasets, name, "data set")

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called `name`; raises PluginError naming the nearest known one."""
        if name not in self.recipes:
            raise PluginError(f"unknown recipe '{name}'.{did_you_mean(name, self.recipes)}")
        return self.recipes[name]

    def missing(self, method: str) -> str | None:
        """Return why there is no method of this name, None where there is one."""
        if method in self.methods:
            return None
        found = [one for one in self.broken if method in {one.name, one.name.replace("_", "-")}]
        return f"could not be loaded: {found[0].reason}" if found else "not installed"

    def add_commands(self, app: "typer.Typer") -> None:
        """Let plugins add their own commands to the command line."""
        self._manager.hook.ubench_commands(app=app)

    def _find(self, known: "dict[str, type[Role]]", name: str, role: str) -> "type[Role]":
        if name in known:
            return known[name]
        for broken in self.broken:
            if name in {broken.name, broken.name.replace("_", "-")}:
                raise PluginError(f"{role} '{name}' ({broken.source}) could not be loaded: {broken.reason}")
        raise PluginError(f"unknown {role} '{name}'.{did_you_mean(name, known)}")

    def _register(self, module: ModuleType, name: str, source: str) -> None:
        self._manager.register(module, name)
        try:
            for method in cast("list[type[Method]]", _call(module, "ubench_methods")):
                self._add(self.methods, method, source)
            for dataset in cast("list[type[Dataset]]", _call(module, "ubench_datasets")):
                self._add(self.datasets, dataset, source)
            for metric in cast("list[Metric]", _call(module, "ubench_metrics")):
                _add_value(self.metrics, _with_code(metric, module, source), "metric", source)
            for recipe in cast("list[Recipe]", _call(module, "ubench_recipes")):
                _add_value(self.recipes, recipe, "recipe", source)
            self._manager.check_pending()
        except BaseException:
            self._manager.unregister(module)
            raise

    def _add(self, known: "dict[str, type[Role]]", role: "type[Role]", source: str) -> None:
        name = getattr(role, "name", None)
        if not isinstance(name, str) or not name:
            raise PluginError(f"{source}: {role.__name__} needs a class attribute `name`")
        if name in known:
            raise PluginError(f"{source}: the name '{name}' is taken by {self.sources[name]}; choose another")
        known[name] = role
        self.sources[name] = source


def load_plugins() -> Plugins:
    """Find all installed plugins."""
    plugins = Plugins()
    plugins.load_entry_points()
    return plugins


def is_file(name: str) -> bool:
    """Whether what the user calls a method is the path of a file."""
    return name.endswith(".py") or "/" in name


def module_name_of(path: Path) -> str:
    """Return the name under which the plugin in a single file is imported."""
    where = path.resolve()
    return f"{_FILE_MODULE}{where.stem}_{hashlib.sha256(str(where).encode()).hexdigest()[:8]}"


def file_of(method: type[Method]) -> Path | None:
    """Return the single file that a method was loaded from, None for one of a package."""
    if not method.__module__.startswith(_FILE_MODULE):
        return None
    return Path(str(sys.modules[method.__module__].__file__))


def _call(module: ModuleType, hook: str) -> list[object]:
    function = getattr(module, hook, None)
    return [] if function is None else list(function())


def _add_value(known: dict[str, Value], value: Value, what: str, source: str) -> None:
    if value.name in known:
        raise PluginError(f"{source}: there is a {what} '{value.name}' already; choose another name")
    known[value.name] = value


def _with_code(metric: Metric, module: ModuleType, source: str) -> Metric:
    """Return the metric with the digest of the code that measures it: scores of other code are not compared."""
    if not callable(metric.measure):
        raise PluginError(f"{source}: metric '{metric.name}' needs a function: measure=...")
    modules = {module.__name__, metric.measure.__module__}
    return replace(metric, code=digest_of(sorted(map(source_digest, modules))))


def _methods_defined_in(module: ModuleType) -> list[type[Method]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]


class _Loader(SourceFileLoader):
    """Imports a text as if the file held it."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Return the text's code; nothing is read."""
        return compile(self._source, self.path, "exec", dont_inherit=True)


def _import_file(path: Path, source: str | None) -> ModuleType:
    if source is None and not path.is_file():
        raise PluginError(f"{path}: no such file; give a method's name or the path of a Python file with one")
    name, where = module_name_of(path), path.resolve()
    loader = None if source is None else _Loader(name, str(where), source)
    spec = importlib.util.spec_from_file_location(name, where, loader=loader)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"{path} could not be imported: {type(error).__name__}: {error}") from error
    return module
