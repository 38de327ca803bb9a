"""What CLIP is asked: sentences on tumours and on all else, written before any case was looked at, and kept."""

TUMOUR = (
    "a bright irregular patch on a FLAIR image, part of a brain tumor",
    "a glioma with bright swelling around it on brain MRI",
    "a hyperintense mass whose edge fades into the brain",
    "a bright lesion in only one half of the brain",
    "abnormally bright tissue that pushes a ventricle aside",
    "a part of the brain that shines more than healthy white matter",
    "tumor and edema, white on an axial FLAIR slice",
)
BACKGROUND = (
    "normal brain tissue of an even gray on a FLAIR image",
    "healthy white matter without any lesion",
    "a dark ventricle filled with fluid",
    "a symmetric slice of a healthy brain",
    "the thin bright rim of the scalp or the skull",
    "folds of the normal cortex",
    "a black and empty part of the picture",
)
