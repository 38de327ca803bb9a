"""Anomaly maps of a trained constrained VAE, and the two stages that thresholds are found with."""

import json
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unseg_bench.blocks.constrained_vae.losses import attention_map, enlarged
from unseg_bench.blocks.constrained_vae.network import ConstrainedVae
from unseg_bench.blocks.constrained_vae.options import InferenceOptions, MapKind, MapOptions
from unseg_bench.blocks.constrained_vae.slices import draw_pictures, eroded, frame_of, match_all, shown_slices
from unseg_bench.blocks.normals import normal_places
from unseg_bench.blocks.slices import Pictures, to_pictures
from unseg_bench.blocks.thresholds import collect_best_dice, collect_normal_values
from unseg_bench.blocks.training import load_network
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.context import Artifact, Work, stage


@stage("constrained-vae-normals", seeded=False)
def collect_normals(work: Work, options: MapOptions, *, cohort: Cohort, normal: Artifact, vae: Artifact) -> None:
    """Write the map's values over the eroded brain of the normal slices of held-out cases (see `thresholds`)."""
    maps = Maps(options, vae, work.device)
    collect_normal_values(
        work, cohort, maps.map_of, lambda volume: maps.region_of(volume) & normal_places(volume, normal)
    )


@stage("constrained-vae-best-dice", seeded=False)
def collect_best(work: Work, options: MapOptions, *, cohort: Cohort, vae: Artifact, masks: Artifact) -> None:
    """Write the threshold with the best Dice on a labelled cohort (see `thresholds`); `masks` are its references."""
    collect_best_dice(work, cohort, Maps(options, vae, work.device).map_of, masks.array)


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A case as the network sees it, each (X, Y, Z) on its grid: `slices` and `reconstruction` 0 ... 1, and the map."""

    slices: Image
    reconstruction: Image
    scores: Image


class Maps:
    """Makes the maps of volumes with the network that `vae`, a result of the stage 'constrained-vae', holds."""

    def __init__(self, options: MapOptions, vae: Artifact, device: str) -> None:
        facts = json.loads(vae.path("training.json").read_text(encoding="utf-8"))
        self.low, self.high = float(facts["low"]), float(facts["high"])
        self._options, self._device = options, device
        self._reference = np.array(vae.array("reference")) if vae.path("reference.npy").exists() else None
        self._network = ConstrainedVae(options.network, options.slices.size)
        load_network(vae.path("vae.safetensors"), self._network)
        self._network.to(device).eval()

    def map_of(self, volume: Volume) -> Image:
        """Return the anomaly map (X, Y, Z), float32; where it does not count (`region_of`) 0, or its lowest value."""
        slices, pictures = self._pictures(volume)
        scores = np.zeros(volume.shape, dtype=np.float32)
        if not len(slices):
            return scores
        inside = eroded(pictures > 0, self._options.slices.erosion_px)
        region = self._region(volume, slices, inside)
        maps = self._maps(pictures, inside)
        to_pictures(scores)[slices] = frame_of(volume, self._options.slices).back(maps)
        scores[~region] = min(0.0, float(scores[region].min(initial=0.0)))
        return scores

    def region_of(self, volume: Volume) -> Mask:
        """Return where the map counts, (X, Y, Z): the eroded brain of slices with enough of it."""
        slices, pictures = self._pictures(volume)
        return self._region(volume, slices, eroded(pictures > 0, self._options.slices.erosion_px))

    def views_of(self, volume: Volume) -> Views:
        """Return what the network sees of a volume, what it makes of it, and the map."""
        slices, pictures = self._pictures(volume)
        seen, made = (np.zeros(volume.shape, dtype=np.float32) for _ in range(2))
        if len(slices):
            frame = frame_of(volume, self._options.slices)
            to_pictures(seen)[slices] = frame.back(pictures / np.float32(255.0))
            to_pictures(made)[slices] = frame.back(self._reconstructions(pictures))
        return Views(np.clip(seen, 0.0, 1.0), np.clip(made, 0.0, 1.0), self.map_of(volume))

    def _region(self, volume: Volume, slices: NDArray[np.intp], inside: NDArray[np.bool_]) -> Mask:
        """`inside`: the eroded brains of the pictures (N, S, S)."""
        region = volume.empty_mask()
        if len(slices):
            to_pictures(region)[slices] = frame_of(volume, self._options.slices).back(inside) > 0.5
        return region & volume.brain

    def _pictures(self, volume: Volume) -> tuple[NDArray[np.intp], Pictures]:
        slices = shown_slices(volume, self._options.slices)
        drawn = draw_pictures(volume, slices, self._options.slices)
        return slices, match_all(drawn, self._reference, self._options.slices, test=True)

    def _maps(self, pictures: Pictures, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the maps (N, S, S) of pictures, scaled as asked; `inside`: their eroded brains."""
        options, parts = self._options.inference, list[NDArray[np.float32]]()
        for start in range(0, len(pictures), options.batch):
            part = slice(start, start + options.batch)
            maps = self._scaled(small_maps(self._network, pictures[part], self._options.map, self._device), options)
            parts.append(enlarged(maps, self._options.slices.size).cpu().numpy())
        together = np.concatenate(parts)
        return scale_slices(together, inside) if options.scale == "slice" else together

    def _scaled(self, maps: Tensor, options: InferenceOptions) -> Tensor:
        if options.scale == "normals":
            return (maps - self.low) / (self.high - self.low)
        return scale_rows(maps) if options.scale == "slice-2022" else maps

    def _reconstructions(self, pictures: Pictures) -> NDArray[np.float32]:
        step, parts = self._options.inference.batch, list[NDArray[np.float32]]()
        with torch.no_grad():
            for start in range(0, len(pictures), step):
                shown = torch.from_numpy(pictures[start : start + step]).to(self._device).float() / 255.0
                parts.append(torch.sigmoid(self._network(shown).logits).cpu().numpy())
        return np.concatenate(parts)


def small_maps(network: ConstrainedVae, pictures: Pictures, kind: MapKind, device: str) -> Tensor:
    """Return the maps (N, s, s) of pictures (N, S, S) uint8 on `device`, without a graph."""
    with torch.set_grad_enabled(kind == "grad-cam"):
        mean, shallow = network.look(torch.from_numpy(np.array(pictures)).to(device).float() / 255.0)
        return attention_map(kind, mean, shallow).detach()


def scale_slices(maps: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of each map (N, S, S) bring the lowest value `inside` to 0, then the highest of all to 1 (the 2021 code).

    A map that has none inside, or is flat, becomes 0.
    """
    low = np.where(inside, maps, np.inf).min(axis=(1, 2), keepdims=True)
    shifted = maps - np.where(np.isfinite(low), low, maps.max(axis=(1, 2), keepdims=True))
    high = shifted.max(axis=(1, 2), keepdims=True)
    return np.divide(shifted, high, out=np.zeros_like(shifted), where=high > 0)


def scale_rows(maps: Tensor) -> Tensor:
    """Of each map (N, s, s) subtract the lowest of the rows' maxima, then divide by the maximum (the 2022 code).

    Each of the two numbers is 0.001 larger, as there; this is no min-max: what is lower becomes negative.
    """
    shifted = maps - (maps.amax(dim=2).amin(dim=1) + 1e-3)[:, None, None]
    return shifted / (shifted.amax(dim=(1, 2)) + 1e-3)[:, None, None]
