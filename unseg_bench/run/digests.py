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
    sources = sorted(_normal_form(path) for path in _closure(module_name).values())
    return digest_of({"code": sources, "torch": version("torch")})


def _closure(start: str) -> dict[str, Path]:
    own = start.partition(".")[0]
    found: dict[str, Path] = {}
    queue = [start]
    while queue:
        name = queue.pop()
        path = _source_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        queue.extend(
            imported
            for imported in _imports(path, name)
            if imported.startswith(SHARED_CODE) or (imported.partition(".")[0] == own and own != "unseg_bench")
        )
    return found


def _source_of(name: str) -> Path | None:
    if (module := sys.modules.get(name)) and (file := getattr(module, "__file__", None)):
        return Path(file)
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _imports(path: Path, name: str) -> set[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
