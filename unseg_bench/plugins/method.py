"""The role of a method: options, an optional `fit` on unlabelled images, and `segment`, one case at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.cost import CaseCounts, Cost
from unseg_bench.plugins.explain import Explanation
from unseg_bench.plugins.options import PluginOptions, named_options


@dataclass(frozen=True, slots=True)
class Study:
    """One question about a method, answered by `ubench ablate METHOD --study NAME`.

    `rows`: what a row is called in the table -> the options that it changes, dotted or nested as in a preset; they come
    over the preset's, and `--set` comes over them. Rows whose options come out equal are one run.
    """

    title: str
    rows: Mapping[str, Mapping[str, Any]]


class MethodOptions(PluginOptions):
    """Base of a method's options, nested groups included; unknown names, infinity and NaN are refused."""


OptionsT_co = TypeVar("OptionsT_co", bound=MethodOptions, default=MethodOptions, covariant=True)


class Method(ABC, Generic[OptionsT_co]):
    """One method. Subclass it in a file of its own and run `ubench run ./mine.py`.

    `Method[MyOptions]` names the class of its options; `self.options` is one of these. `name` appears in tables.
    `floor` marks a rule so simple that a learned method must beat it, `ceiling` an answer that is made with the case's
    own mask and so is no method: tables set both apart. `presets` are named sets of options: dotted or nested names, as
    in a settings file; 'paper' is the default on real data, 'demo' on the phantom. `preset_sources` says of a preset
    what it takes from where and what is its author's own; `ubench methods NAME` shows it. `studies` are named ablations
    for `ubench ablate`; the first is the one that it takes when none is named. `look_below`: a case whose
    `context.confidence` is below it should be looked at; 0 to 1, None: the method does not say.
    """

    name: ClassVar[str]
    floor: ClassVar[bool] = False
    ceiling: ClassVar[bool] = False
    look_below: ClassVar[float | None] = None
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    preset_sources: ClassVar[Mapping[str, str]] = {}
    studies: ClassVar[Mapping[str, Study]] = {}
    Options: ClassVar[type[MethodOptions]] = MethodOptions

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.Options = named_options(cls, cls.Options)

    def __init__(self, options: OptionsT_co) -> None:
        self.options = options

    @property
    def supervision(self) -> Supervision:
        """The most that the method may read of labels, none by default; may follow the options.

        `context.labels` refuses the rest.
        """
        return Supervision.NONE

    @property
    def learns(self) -> bool:
        """Whether `fit` is called, with training images; may follow the options."""
        return type(self).fit is not Method.fit

    @property
    def weights(self) -> Sequence[str]:
        """The weights that the options ask for, by name or path, so that all that are missing are named at once."""
        return ()

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the stages cost in the order of `fit`, then 'segment', for a dry run; none: it is not known."""
        return ()

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Learn from images without masks. Called again after a crash; stages that are done cost nothing then."""

    def expect(self, cases: Cohort, context: Context) -> None:
        """Be told which cases will be segmented, in their order: for a method that is quicker with several at once.

        Called after `fit`; `segment` may then open their volumes ahead. The answer of a case must not depend on the
        others'.
        """

    @abstractmethod
    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the whole tumour of one case as a bool array of the volume's shape; the volume must stay untouched."""

    def explain(self, volume: Volume, context: Context) -> Explanation | None:
        """Return the steps to the answer for one case, of any part, for `ubench show RUN --case ID`; None: no pictures.

        Called after `fit`, as `segment` is; it must not change what `segment` returns.
        """
        return None
