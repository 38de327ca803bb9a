"""A method's file asked what it is, or put to its checks, in a process of its own: it is never imported here."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from unseg_bench.blocks.weights import WeightsFile, find_entry, locate
from unseg_bench.errors import PluginError, RunError, UbenchError
from unseg_bench.plugins.conformance import CheckResult
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.history import SEALED
from unseg_bench.plugins.method_facts import MethodFacts
from unseg_bench.run.method_card import MethodCard, Where, card_from, said_of, where_of_file
from unseg_bench.run.session.codec import answer, unpack
from unseg_bench.run.session.seal import SERVER, code_rules, explain_refusal, mode_of, socket_probes
from unseg_bench.run.settings import RunSettings
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import Answer, NotSealed, SandboxProcess
from unseg_bench.sandbox.wire import Thrown
from unseg_bench.sandbox.workspace import Workspace

Call = Callable[[str, Mapping[str, Any]], Any]
Found = TypeVar("Found")


def describe_file(
    written: str, variants: Mapping[str, RunSettings], dataset: type[Dataset], taken: Mapping[str, str]
) -> dict[str, MethodCard]:
    """Have a process import a method's file and say what there is to know of it, by label of the settings.

    `taken`: names of installed methods -> where they come from. Raises PluginError or SettingsError; RunError where the
    process cannot be had.
    """
    where = where_of_file(Path(written))
    cards: dict[str, MethodCard] = {}
    with _process(where, written, next(iter(variants.values())).sealed, dataset) as call:
        for label, settings in variants.items():
            request = {"settings": settings.model_dump(mode="json"), "written": written}
            with said_of(label):
                said = call("describe", {**request, "default_preset": dataset.default_preset})
            cards[label] = card_from(said["description"], settings, dataset.default_preset, where, taken, written)
    return cards


def facts_of_file(written: str) -> MethodFacts:
    """Have a process import a method's file and tell its options, presets and studies; raises as `describe_file`."""
    with _process(where_of_file(Path(written)), written, "auto", None) as call:
        return MethodFacts.model_validate(call("facts", {})["facts"])


def check_in_process(where: Where, written: str) -> list[CheckResult]:
    """Put a method through the conformance kit in a process of its own, sealed where that can be had."""
    with _process(where, written, "auto", None) as call:
        results = call("check", {})["results"]
    return [CheckResult(str(name), passed is True, str(detail)) for name, passed, detail in results]


@contextmanager
def _process(where: Where, written: str, asked: str, dataset: type[Dataset] | None) -> Generator[Call]:
    """Give a way to call the method's process."""
    mode, _ = mode_of(from_file=where.file is not None, asked=asked, name=written)
    workspace = Workspace(None)

    def on_ask(question: Message) -> Answer:
        values = unpack(question["values"], question["payload"])
        if question["ask"] != "weights" or find_entry(str(values[0])) is None:
            raise UbenchError(f"a method is only looked at here, and asked for: {question['ask']}")
        file = locate(str(values[0]), offline=True)
        return answer(WeightsFile(workspace.hand_over(file.path, file.sha256), file.sha256, file.name))

    try:
        rules = code_rules(where, dataset, workspace) if mode == SEALED else None
        given = {"where": where.to_json()}
        probes = socket_probes() if mode == SEALED else ()
        with SandboxProcess(workspace, rules, probes, SERVER, given, on_ask, lambda _: None) as process:

            def call(what: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what the process says
                said, payload = process.call(what, dict(values))
                return unpack(said, payload)

            yield call
    except NotSealed as error:
        raise RunError(
            f"{written}: its process cannot be sealed: {error}. Nothing of it was run; --sealed off runs it without"
        ) from None
    except Thrown as error:
        raise PluginError(f"{written}: could not be looked at: {error.kind}: {error}") from error
    except UbenchError as error:
        resolved = str(Path(where.file).resolve()) if where.file else written
        message = str(error).replace(resolved, written)
        raise type(error)(explain_refusal(message) if mode == SEALED else message) from error
    finally:
        workspace.leave()
