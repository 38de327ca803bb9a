"""Groups of options, each declared once: a data class whose fields are options, taken by a command as one argument."""

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from unseg_bench.run.settings import RunSettings

DATA, OPTIONS, MACHINE = "Data", "Options of the methods", "Machine and output"
_Group = TypeVar("_Group")


def complete_method(incomplete: str) -> list[str]:
    """Return the methods whose name begins so."""
    from unseg_bench.plugins.manager import load_plugins

    return sorted(name for name in load_plugins().methods if name.startswith(incomplete))


def complete_dataset(incomplete: str) -> list[str]:
    """Return the data sets whose name begins so."""
    from unseg_bench.plugins.manager import load_plugins

    return sorted(name for name in load_plugins().datasets if name.startswith(incomplete))


RunsFolder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the runs.", rich_help_panel=MACHINE)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder that holds the images.", rich_help_panel=DATA)
]
MoreOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset-option",
        metavar="K=V",
        help="Any other option of the data set; repeatable (`ubench datasets NAME` lists them).",
        rich_help_panel=DATA,
    ),
]
Part = Annotated[
    str | None,
    typer.Option(metavar="PART", help="Part of the split to segment. Default: test.", rich_help_panel=DATA),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="K=V",
        help="One option, e.g. amda.alpha=30, or clisc:amda.alpha=30 for one of several methods; repeatable.",
        rich_help_panel=OPTIONS,
    ),
]
OneMethod = Annotated[
    str,
    typer.Argument(
        metavar="METHOD",
        help="A name (`ubench methods`) or a Python file.",
        autocompletion=complete_method,
        show_default=False,
    ),
]


def under(panel: str) -> Callable[[type[_Group]], type[_Group]]:
    """Show the options of a data class under this heading of the help, but for those that name another."""

    def put(group: type[_Group]) -> type[_Group]:
        for hint in get_type_hints(group, include_extras=True).values():
            for option in getattr(hint, "__metadata__", ()):
                option.rich_help_panel = option.rich_help_panel or panel
        return group

    return put


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take data classes of options: on the command line each of their fields is an option of its own.

    A field may be such a data class too.
    """
    hints = get_type_hints(command, include_extras=True)
    own = {one.name: one.default for one in inspect.signature(command).parameters.values()}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, kind, default in _options({name: (hints[name], default) for name, default in own.items()})
    ]

    def flat(**values: Any) -> None:  # noqa: ANN401 - options of every type
        command(**{name: _taken(hints[name], name, values) for name in own})

    flat.__name__, flat.__doc__, flat.__module__ = command.__name__, command.__doc__, command.__module__
    flat.__annotations__ = {one.name: one.annotation for one in options}
    vars(flat)["__signature__"] = inspect.Signature(options)
    return flat


def _options(members: dict[str, tuple[Any, Any]]) -> Generator[tuple[str, Any, Any]]:
    """Yield name, type and default of all options that parameters or fields stand for."""
    for name, (kind, default) in members.items():
        if is_dataclass(kind):
            hints = get_type_hints(kind, include_extras=True)
            yield from _options({one.name: (hints[one.name], one.default) for one in fields(kind)})
        else:
            yield name, kind, inspect.Parameter.empty if default is MISSING else default


def _taken(kind: Any, name: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - options of every type
    """Return the value of a parameter or field: the option of that name, or a group made of its own."""
    if not is_dataclass(kind):
        return values[name]
    hints = get_type_hints(kind, include_extras=True)
    assert isinstance(kind, type)  # noqa: S101 - a hint names a class
    return kind(**{one.name: _taken(hints[one.name], one.name, values) for one in fields(kind)})


@under(DATA)
@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What a data set is opened with."""

    data: DataDir = None
    image: Annotated[
        str | None, typer.Option(metavar="GLOB", help="FLAIR images below DIR; '*' or '{case}' is the case id.")
    ] = None
    reference: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Reference masks below DIR, by the same rule.")
    ] = None
    tumour_labels: Annotated[
        str | None, typer.Option(metavar="1,2,4", help="Values in the masks that are tumour. Default: all above 0.")
    ] = None
    healthy: Annotated[str | None, typer.Option(metavar="GLOB", help="Images known to be free of tumour.")] = None
    channel: Annotated[int | None, typer.Option(min=0, metavar="N", help="Channel of 4D images, from 0.")] = None
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="SPLIT",
            help="'7:1:2' (train:valid:test), 'all-test', or a folder with train.txt, valid.txt, test.txt.",
        ),
    ] = None
    allow_missing: Annotated[
        bool | None,
        typer.Option(
            "--allow-missing",
            help="Go on without files that are missing, not fetched or named otherwise; it is said which.",
        ),
    ] = None
    dataset_option: MoreOptions = None

    @property
    def given(self) -> dict[str, Any]:
        """The data set's options that were given; paths are absolute, so that run.json works from anywhere.

        Raises SettingsError for `--dataset-option` without '='.
        """
        from unseg_bench.run.asked import assigned_to_data, data_options

        shortcuts = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "dataset_option"}
        return data_options(shortcuts) | assigned_to_data(self.dataset_option or [])


@under(DATA)
@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which data."""

    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            metavar="NAME",
            help="Data set (`ubench datasets`). Default: phantom, or folder where --data is given.",
        ),
    ] = None
    files: FileOptions


@under(MACHINE)
@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """Where and how strictly runs are computed."""

    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda|cuda:N", help="Default: auto, a GPU where there is one.")
    ] = None
    offline: Annotated[bool | None, typer.Option("--offline", help="Never touch the network.")] = None
    sealed: Annotated[
        str | None,
        typer.Option(
            metavar="auto|required|off",
            help="Keep methods from the references by the kernel. Default: auto, where it can.",
        ),
    ] = None
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic", help="The same bits on a GPU too, or an error.")
    ] = None


@under(OPTIONS)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What every call that runs methods can be given."""

    data: DataOptions
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Segment the first N cases only.", rich_help_panel=DATA)
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Named set of options. Default: demo on the phantom, paper elsewhere."),
    ] = None
    seed: Annotated[str | None, typer.Option(metavar="0,1,2", help="Seeds, one run each. Default: 0.")] = None
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Settings in YAML, TOML or JSON, or a run.json; the command line comes before it."
        ),
    ] = None
    machine: MachineOptions

    def settings(
        self,
        methods: Sequence[str],
        *,
        part: str | None = None,
        assignments: Sequence[str] | None = None,
        keep_maps: bool | None = None,
    ) -> "RunSettings":
        """Return the checked settings that these options mean; raises SettingsError."""
        from unseg_bench.run.asked import parse_assignments, parse_seeds, settings_of

        return settings_of(
            methods,
            config=self.config,
            dataset=self.data.dataset,
            dataset_options=self.data.files.given,
            set=parse_assignments(assignments or []),
            seeds=None if self.seed is None else parse_seeds(self.seed),
            part=part,
            limit=self.limit,
            preset=self.preset,
            device=self.machine.device,
            offline=self.machine.offline,
            sealed=self.machine.sealed,
            deterministic=self.machine.deterministic,
            keep_maps=keep_maps,
        )


@under(MACHINE)
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """What is done with the runs."""

    runs: RunsFolder = Path("runs")
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would be done.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout; progress goes to stderr.")] = False


@under(MACHINE)
@dataclass(frozen=True, slots=True, kw_only=True)
class AgainOptions:
    """How runs are made again, and when they end."""

    force: Annotated[bool, typer.Option("--force", help="Do everything again, also what is done.")] = False
    strict: Annotated[
        bool, typer.Option("--strict", help="End at the first case that fails; else the others go on.")
    ] = False
