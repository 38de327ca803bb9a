"""Options of AMCons and of GradCAMCons: the same names, each with the defaults of its own publication."""

from typing import Literal

from pydantic import Field

from unseg_bench import MethodOptions
from unseg_bench.blocks.constrained_vae.options import (
    InferenceOptions,
    Layout,
    LossOptions,
    MapKind,
    NetworkOptions,
    SliceOptions,
    TrainingOptions,
)
from unseg_bench.blocks.normals import NormalsOptions
from unseg_bench.blocks.thresholds import ThresholdOptions


class AmconsOptions(MethodOptions):
    """All options; the defaults are those of the 2022 paper and code, but for what reads labels."""

    map: MapKind = "activation"
    normals: NormalsOptions = NormalsOptions()
    slices: SliceOptions = SliceOptions()
    network: NetworkOptions = NetworkOptions()
    loss: LossOptions = LossOptions()
    training: TrainingOptions = TrainingOptions()
    inference: InferenceOptions = InferenceOptions()
    thresholds: ThresholdOptions = ThresholdOptions()


class GradcamNetworkOptions(NetworkOptions):
    """The VAE, by default that of 2021."""

    layout: Layout = "2021"


class GradcamLossOptions(LossOptions):
    """The 2021 code's losses: means, and the size of the map by the log-barrier."""

    scale: Literal["summed", "mean"] = "mean"
    kl_weight: float = Field(default=1.0, ge=0)
    constraint: Literal["entropy", "size"] = "size"
    constraint_weight: float = Field(default=10.0, ge=0)
    warm_up_steps: int | None = Field(default=400, ge=0)


class GradcamTrainingOptions(TrainingOptions):
    """The 2021 code's training."""

    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-5, gt=0)


class GradcamInferenceOptions(InferenceOptions):
    """From network to map; by default in units of the normal slices' range."""

    scale: Literal["raw", "normals", "slice", "slice-2022"] = "normals"


class GradcamconsOptions(MethodOptions):
    """All options; the defaults are those of the 2021 code, but for what reads labels."""

    map: MapKind = "grad-cam"
    normals: NormalsOptions = NormalsOptions()
    slices: SliceOptions = SliceOptions()
    network: GradcamNetworkOptions = GradcamNetworkOptions()
    loss: GradcamLossOptions = GradcamLossOptions()
    training: GradcamTrainingOptions = GradcamTrainingOptions()
    inference: GradcamInferenceOptions = GradcamInferenceOptions()
    thresholds: ThresholdOptions = ThresholdOptions()
