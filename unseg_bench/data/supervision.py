"""What a method declares that it reads of labels."""

from enum import StrEnum


class Supervision(StrEnum):
    """What a method may read of the references. A method may choose its level by its options."""

    NONE = "none"
    SLICE_LABELS = "slice-labels"
    """Which axial slices of training and validation cases have tumour."""
    VALIDATION_MASKS = "validation-masks"
    """Reference masks of the validation part."""
    SLICE_LABELS_AND_VALIDATION_MASKS = "slice-labels+validation-masks"
    """Which axial slices of training and validation cases have tumour, and reference masks of the validation part."""
    PROMPTS_FROM_MASKS = "prompts-from-masks"
    """Reference masks of any case, the segmented one included, to draw prompts from."""
    MASKS = "masks"
    """Reference masks of the training and validation parts."""
    TEST_MASKS = "test-masks"
    """Reference masks of any case, the segmented one included: a ceiling, never a method."""
