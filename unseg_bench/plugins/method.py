"""The role of a method: options, an optional `fit` on unlabelled images, and `segment`, one case at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context


class MethodOptions(BaseModel):
    """Base of a method's options, nested groups included; unknown names, infinity and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Method(ABC):
    """One method. Subclass it in a file of its own and run `ubench run ./mine.py`.

    `name` appears in tables. `supervision` is the most that the method may read of labels; `context.labels` refuses
    the rest. `floor` marks a rule so simple that a learned method must beat it. `presets` are named sets of options:
    dotted or nested names, as in a settings file; 'paper' is the default on real data, 'demo' on the phantom.
    """

    name: ClassVar[str]
    supervision: Supervision = Supervision.NONE
    floor: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    Options: ClassVar[type[MethodOptions]] = MethodOptions

    def __init__(self, options: MethodOptions) -> None:
        self.options = options

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:  # noqa: B027 - optional
        """Learn from images without masks. Called again after a crash; stages that are done cost nothing then."""

    @abstractmethod
    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the whole tumour of one case as a bool array of the volume's shape; the volume must stay untouched."""
