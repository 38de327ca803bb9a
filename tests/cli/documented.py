"""Every command that README, guides and help texts show, with where it stands."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from unseg_bench.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
GROUP = typer.main.get_group(app)


def shown_commands() -> list[tuple[str, str]]:
    """Return (where, command) of all commands, each once a place; those in running text begin with 'ubench' too."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
        for block in re.findall(r"^```(?:bash|console)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                found += [(page.name, one) for one in _of_line(line)]
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        spans = re.findall(r"`([^`]+)`", prose, re.DOTALL)
        found += [(page.name, " ".join(one.split())) for one in spans if one.startswith("ubench ")]
    found += [(f"{name} --help", command) for name, one in _walk(GROUP, "ubench") for command in _epilog(one)]
    return list(dict.fromkeys(found))


def _of_line(line: str) -> Iterator[str]:
    for part in line.split(" && "):
        if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(ubench .*)", part):
            yield re.sub(r"\s+#.*$", "", found[1])


def _walk(group: typer.core.TyperGroup, name: str):
    yield name, group
    for own, command in group.commands.items():
        yield from _walk(command, f"{name} {own}") if hasattr(command, "commands") else [(f"{name} {own}", command)]


def _epilog(command) -> list[str]:
    text = (command.epilog or "").replace("\\[", "[")
    return list(re.findall(r"\[bold\](ubench .*?)\[/bold\]", text) + re.findall(r"`(ubench [^`]*)`", text))
