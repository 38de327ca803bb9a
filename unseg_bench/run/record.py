"""What run.json may hold. A run folder may come from elsewhere, so its record is checked before anything reads it."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from unseg_bench.data.paths import check_case_id
from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError, PluginError
from unseg_bench.plugins.confidence import check_part_names
from unseg_bench.plugins.metric import Metric

DEEPEST = 32
_LARGEST = 2**63 - 1
_BYTES = "".join(map(chr, range(0xDC80, 0xDD00)))
"""Bytes of names that are not UTF-8, as Python holds them; such a path must still lead to its file."""

BEGUN = ("state", "method", "preset", "seed", "dataset", "evidence", "split", "part", "cases", "started")
"""Entries that every run has as soon as it has begun."""


def _a_time(text: str) -> str:
    """Times are subtracted from each other; one without its zone is UTC."""
    time = datetime.fromisoformat(text)
    return text if time.tzinfo is not None else time.replace(tzinfo=UTC).isoformat()


def _an_id(text: str) -> str:
    try:
        return check_case_id(text)
    except DataError as error:
        raise ValueError(str(error)) from None


def _metrics(described: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    try:
        for name, facts in described.items():
            Metric.of_record(name, facts)
    except PluginError as error:
        raise ValueError(str(error)) from None
    return described


_Case = Annotated[str, AfterValidator(_an_id)]
_Time = Annotated[str, AfterValidator(_a_time)]
_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    """Entries that are not named here are kept as they are; those of older runs may be missing."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Settings(_Part):
    methods: list[str] = Field(default=[], min_length=1)
    dataset_options: dict[str, Any] = {}
    set: dict[str, Any] = {}
    device: str = "auto"
    limit: _Count | None = None


class _Weights(_Part):
    sha256: str
    published_checksum: bool


class _Seal(_Part):
    mode: str
    reason: str = ""
    landlock_abi: int = 0
    network: str = ""
    refused: list[str] = []
    volumes: dict[str, _Count] = {}
    weights: dict[str, _Weights] = {}
    opened_files: _Count = 0
    started_programs: _Count = 0
    opened_data_files: _Count = 0


class _LabelRead(_Part):
    case: str
    kind: str
    purpose: str
    when: str = ""


class _Mask(_Part):
    name: str
    sha256: str


class _MaskSource(_Part):
    run: str | None
    mode: str
    own_weights: bool
    opened_data_files: _Count
    masks: dict[str, _Mask]


class _Source(_Part):
    folder: str = ""
    pattern: str | None = None
    labels: list[int] | None = None
    threshold: float | None = None
    files: dict[str, dict[str, str]] = {}


class _Machine(_Part):
    system: str = "unknown"
    processor: str = "unknown"
    cpus: _Count = 0


class _Device(_Part):
    name: Annotated[str, Field(pattern=r"^(cpu|cuda:\d{1,3})$")] = "cpu"
    model: str = ""
    memory_bytes: _Count = 0
    driver: str = ""
    capability: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")] = "0.0"
    unused: str = ""


class _Differences(_Part):
    preset: str | None = None
    options: dict[str, Any] = {}


class _Confidence(_Part):
    value: _Share
    parts: dict[str, float]


def _confidences(stated: dict[str, _Confidence]) -> dict[str, _Confidence]:
    check_part_names(name for one in stated.values() for name in one.parts)
    return stated


class _Record(_Part):
    state: str = ""
    method: str = Field(default="", min_length=1)
    preset: str = ""
    seed: int = 0
    dataset: str = ""
    evidence: bool = True
    split: str = ""
    part: str = ""
    cases: list[_Case] = []
    settings: _Settings = Field(default_factory=_Settings.model_construct)
    started: _Time = ""
    ended: _Time = ""
    error: str | None = None
    floor: bool = False
    ceiling: bool = False
    look_below: _Share | None = None
    all_empty: bool = False
    made_elsewhere: bool = False
    supervision: str = ""
    label_use: str | None = None
    failed_cases: dict[_Case, str] = {}
    missing_cases: list[_Case] = []
    without_map: list[_Case] = []
    confidences: Annotated[dict[_Case, _Confidence], AfterValidator(_confidences)] = {}
    without_reference: list[_Case] = []
    differs: _Differences = Field(default_factory=_Differences.model_construct)
    label_reads: list[_LabelRead] = []
    mask_sources: dict[str, _MaskSource] = {}
    images: dict[str, str] = {}
    weights: dict[str, str] = {}
    scoring_rules: dict[str, str | float] = {}
    metrics: Annotated[dict[str, dict[str, Any]], AfterValidator(_metrics)] = {}
    seal: _Seal = Field(default_factory=_Seal.model_construct)
    source: _Source = Field(default_factory=_Source.model_construct)
    machine: _Machine = Field(default_factory=_Machine.model_construct)
    versions: dict[str, str] = {}
    device: _Device = Field(default_factory=_Device.model_construct)
    peak_memory: dict[str, _Count] = {}


def check_record(value: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the entries that it has, each of the right type, its text without control characters.

    Names of files that are not UTF-8 stay as they are. Raises ValueError naming the first entry at fault.
    """
    shown = shown_value(value)
    try:
        return _Record.model_validate(shown).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{visible(place)}: {first['msg']}") from None


def shown_value(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return a JSON value whose text has no control characters, bytes of file names aside.

    Raises ValueError for one nested too deeply, and for numbers that are not finite or have more than 64 bits.
    """
    if isinstance(value, str):
        return visible(value, keep=_BYTES)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a whole number has more than 64 bits")
    if not isinstance(value, dict | list):
        return value
    if depth > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {visible(name, keep=_BYTES): shown_value(inner, depth + 1) for name, inner in named.items()}
    return [shown_value(inner, depth + 1) for inner in cast("list[Any]", value)]
