"""Phantom FLAIR volumes: the embedded default data set."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from unseg_bench import (
    DataError,
    Dataset,
    DatasetOptions,
    ImageFile,
    ReferenceFile,
    Split,
    cache_dir,
    hookimpl,
    write_image,
)

if TYPE_CHECKING:
    from pathlib import Path

    from unseg_bench.blocks.phantom.generator import Phantom


_GENERATOR = "unseg_bench.blocks.phantom"


class PhantomOptions(DatasetOptions):
    """How many phantoms, of which seed and voxel size."""

    train: int = Field(36, ge=0, le=2000, description="Number of training cases.")
    valid: int = Field(4, ge=0, le=2000, description="Number of validation cases.")
    test: int = Field(25, ge=1, le=2000, description="Number of test cases.")
    healthy: int = Field(12, ge=0, le=2000, description="Number of cases without tumour, outside the split.")
    seed: int = Field(2025, ge=0, le=2**32 - 1, description="Another seed gives other patients.")
    spacing_mm: float = Field(2.0, ge=0.8, le=4.0, description="Voxel size in mm, the same along each axis.")


class PhantomDataset(Dataset[PhantomOptions]):
    """Heads made from the MNI152 templates that nilearn ships; each file is made when it is first asked for."""

    name = "phantom"
    title = "Phantom FLAIR volumes made from the MNI152 templates (embedded, for trying things out)"
    evidence = False
    default_preset = "demo"
    makers = (_GENERATOR,)

    def __init__(self, options: PhantomOptions) -> None:
        """Lay out the cases; no file is made yet."""
        super().__init__(options)
        counts = (options.train, options.valid, options.test)
        ids = [f"phantom-{number:04d}" for number in range(1, sum(counts) + 1)]
        ends = (counts[0], counts[0] + counts[1])
        name = f"phantom-{'-'.join(map(str, counts))}-seed{options.seed}"
        self._split = Split(name, tuple(ids[: ends[0]]), tuple(ids[ends[0] : ends[1]]), tuple(ids[ends[1] :]))
        self._healthy = tuple(f"phantom-healthy-{number:04d}" for number in range(1, options.healthy + 1))

    def identity(self) -> dict[str, object]:
        """Return the options and the digest of the generator's code."""
        return {"name": self.name, "options": self.options.model_dump(), "generator": _generator_version()}

    def split(self) -> Split:
        """Return the split; each part has its tumour volumes spread evenly in the logarithm."""
        return self._split

    def made_from(self, case_id: str) -> dict[str, object]:
        """Return the options that decide a phantom, its name and the digest of the generator's code."""
        return {**self._recipe(), "case": case_id}

    def healthy(self) -> tuple[str, ...]:
        """Return the ids of the cases without tumour."""
        return self._healthy

    def image(self, case_id: str) -> ImageFile:
        """Return the image of a case, made now (with its reference) if it is not cached."""
        return ImageFile(self._files(case_id)[0])

    def reference(self, case_id: str) -> ReferenceFile:
        """Return the reference of a case; of a healthy one it is empty."""
        return ReferenceFile(self._files(case_id)[1])

    def _files(self, case_id: str) -> tuple[Path, Path]:
        """Return image and reference; they lie in separate folders, so that one can be shown without the other."""
        image, reference = (self._folder / part / f"{case_id}.nii.gz" for part in ("images", "references"))
        if not (image.is_file() and reference.is_file()):
            phantom = self._generate(case_id)
            write_image(reference, phantom.reference.astype("uint8"), phantom.affine)
            write_image(image, phantom.image, phantom.affine)
        return image, reference

    @cached_property
    def _folder(self) -> Path:
        import hashlib
        import json

        recipe = json.dumps(self._recipe(), sort_keys=True)
        return cache_dir() / "phantom" / hashlib.sha256(recipe.encode()).hexdigest()[:16]

    def _recipe(self) -> dict[str, object]:
        # How many healthy cases there are changes no file: they are numbered after the patients.
        return {**self.identity(), "options": self.options.model_dump(exclude={"healthy"})}

    def _generate(self, case_id: str) -> Phantom:
        from unseg_bench.blocks.phantom.generator import generate_phantom, tumour_volumes_ml

        options, split = self.options, self._split
        index = self._index(case_id)
        tumour_ml = None
        for number, part in enumerate((split.train, split.valid, split.test)):
            if case_id in part:
                tumour_ml = float(tumour_volumes_ml(len(part), options.seed + number)[part.index(case_id)])
        return generate_phantom(
            cohort_seed=options.seed, case_index=index, tumour_ml=tumour_ml, spacing_mm=options.spacing_mm
        )

    def _index(self, case_id: str) -> int:
        everyone = (*self._split.case_ids, *self._healthy)
        if case_id not in everyone:
            raise DataError(
                f"the data set 'phantom' has no case {case_id}; its cases are {everyone[0]} to {everyone[-1]}"
            )
        return everyone.index(case_id)


@cache
def _generator_version() -> str:
    """Digest of the generator's source files: phantoms made by other code are other data."""
    import hashlib
    from importlib import import_module
    from pathlib import Path

    package = import_module(_GENERATOR)
    sources = sorted(Path(str(package.__file__)).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in sources)).hexdigest()


@hookimpl
def ubench_datasets() -> list[type[Dataset]]:
    """Register the data set."""
    return [PhantomDataset]
