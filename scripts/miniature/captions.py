"""What phantom slices are called while the miniature CLIP learns: the paper's two and seven more of each."""

NORMAL = (
    "an image of brain tissue showing typical signal intensity without any regions of abnormal intensity or "
    "suspicious mass",
    "a normal brain",
    "a healthy brain slice without tumor",
    "an axial FLAIR image of the brain with no lesion",
    "a brain MRI with normal signal everywhere",
    "a picture of normal brain tissue, no tumour and no edema",
    "a FLAIR slice showing healthy tissue and symmetric ventricles",
    "unremarkable brain MRI without any mass",
)
TUMOUR = (
    "an image of brain tissue showing a tumor with uneven hyperintensity and irregular borders distinct from "
    "surroundings",
    "a brain with a tumor",
    "a brain slice with a bright tumor and surrounding edema",
    "an axial FLAIR image of the brain with a large lesion",
    "a brain MRI with abnormal signal in one hemisphere",
    "a picture of a brain tumour with edema",
    "a FLAIR slice showing a glioma, a hyperintense mass",
    "abnormal brain MRI with a mass",
)
