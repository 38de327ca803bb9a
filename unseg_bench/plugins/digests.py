"""Digests of settings and of code: what a cached result depends on, and nothing else."""

import ast
import hashlib
import importlib.util
import json
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unseg_bench.errors import PluginError

SHARED_CODE = "unseg_bench.blocks"


def digest_of(value: Any) -> str:  # noqa: ANN401 - whatever json can hold
    """Return the SHA-256 of a JSON value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@cache
def code_digest(module_name: str) -> str:
    """Return the digest of a module's code and of what it imports from its own package or `unseg_bench.blocks`.

    Comments, docstrings, layout and where the files lie do not count; torch's version does, since it decides the bits.
    """
    return digest_of({"code": _sources(module_name), "torch": version("torch")})


def source_digest(module_name: str) -> str:
    """Return the digest of the same code for what torch has no part in."""
    return digest_of(_sources(module_name))


def file_code_digest(path: Path, source: str) -> str:
    """Return the same of a single file with this text, which is never imported; raises PluginError for a broken one."""
    try:
        found = _closure("", path, source)
        sources = sorted([_plain_form(source), *(_normal_form(one) for name, one in found.items() if name)])
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{path} could not be imported: {type(error).__name__}: {error}") from None
    return digest_of({"code": sources, "torch": version("torch")})


def _sources(module_name: str) -> list[str]:
    return sorted(_normal_form(path) for path in _closure(module_name).values())


def _closure(start: str, file: Path | None = None, source: str | None = None) -> dict[str, Path]:
    own = start.partition(".")[0]
    found: dict[str, Path] = {}
    queue = [start]
    while queue:
        name = queue.pop()
        path = file if file is not None and name == start else _source_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        queue.extend(
            imported
            for imported in _imports(path, name, source if path == file else None)
            if imported.startswith(SHARED_CODE) or (imported.partition(".")[0] == own and own != "unseg_bench")
        )
    return found


def _source_of(name: str) -> Path | None:
    if name.startswith(SHARED_CODE):  # found without importing the packages above it, which may load torch
        place = Path(__file__).parents[1].joinpath(*name.split(".")[1:])
        return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)
    if (module := sys.modules.get(name)) and (file := getattr(module, "__file__", None)):
        return Path(file)
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _imports(path: Path, name: str, source: str | None = None) -> set[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8") if source is None else source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


@cache
def _normal_form(path: Path) -> str:
    return _plain_form(path.read_text(encoding="utf-8"))


def _plain_form(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
