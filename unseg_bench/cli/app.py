"""The root of the command line: built-in commands at once, plugins' own commands only when they are needed."""

from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from unseg_bench.console.streams import warn
from unseg_bench.version import __version__

DISTRIBUTION = "unseg-bench"


class UbenchGroup(TyperGroup):
    """Adds the commands of plugins to the built-in ones, without loading plugins when nobody asks for them.

    Loading plugins takes longer than all the rest of `--help`. So they are loaded for a command that is not built in,
    and for the list of commands only where an installed package other than this one brings plugins.
    """

    _plugins_asked = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer carries its own click
        """Return all names, those of third-party plugins last."""
        if _strangers_installed():
            self._add_plugin_commands()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """Return a command; a name that is not built in is looked for in the plugins."""
        if cmd_name not in self.commands:
            self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; Ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            warn("stopped")
            raise typer.Exit(130) from None

    def _add_plugin_commands(self) -> None:
        if self._plugins_asked:
            return
        self._plugins_asked = True
        for name, command in _plugin_commands().items():
            self.commands.setdefault(name, command)


def _strangers_installed() -> bool:
    points = entry_points(group="unseg_bench")
    return any(point.dist is not None and point.dist.name != DISTRIBUTION for point in points)


def _plugin_commands() -> dict[str, Any]:
    from unseg_bench.plugins.manager import load_plugins

    extra = typer.Typer(add_completion=False)
    try:
        load_plugins().add_commands(extra)
        return dict(typer.main.get_group(extra).commands)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything; the built-in commands go on
        warn(f"Warning: a plugin could not add its commands: {type(error).__name__}: {error}")
        return {}


app = typer.Typer(
    cls=UbenchGroup,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: [bold]ubench run clisc[/bold], then [bold]ubench compare --by-size[/bold]. "
    "`ubench COMMAND --help` has examples.",
    rich_markup_mode="rich",
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ubench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with every error; may also stand after the command.")
    ] = False,
) -> None:
    """Measure how well a method segments brain tumours without having been told where tumours are."""


def examples(*lines: tuple[str, str]) -> str:
    """Return the epilog of a command's help: (command line, what it does), one below the other."""
    shown = [f"[bold]{_literal(command)}[/bold]\n  [dim]{_literal(what)}[/dim]" for command, what in lines]
    return "[bold dim]Examples[/bold dim]\n" + "\n".join(shown)


def _literal(text: str) -> str:
    return text.replace("[", "\\[")
