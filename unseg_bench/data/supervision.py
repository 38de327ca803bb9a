"""What a method declares that it reads of labels."""

from enum import StrEnum


class Supervision(StrEnum):
    """What a method may read of the references, from nothing to all training masks."""

    NONE = "none"
    SLICE_LABELS = "slice-labels"
    """Which axial slices of training and validation cases have tumour."""
    VALIDATION_MASKS = "validation-masks"
    """Reference masks of the validation part."""
    PROMPTS_FROM_MASKS = "prompts-from-masks"
    """Reference masks of any case, the segmented one included, to draw prompts from."""
    MASKS = "masks"
    """Reference masks of the training and validation parts."""
