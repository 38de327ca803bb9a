"""The recipe of the CLISC paper (Ma et al., ISBI 2025): Tables 1 and 2, the examples of Figure 2, Figure 3's curves."""

from unseg_bench import MethodsPart, Recipe, StudyPart, SweepPart, hookimpl

TABLE_1 = (
    "salip",
    "amcons",
    "gradcamcons",
    "implicit-field",
    "sim2real",
    "clisc",
    "sam-prompts",
    "supervised-unet",
)
"""The paper's rows in its order: SaLIP, AMCons, GradCAMCons, 3D IF, Sim2Real, CLISC, SAM, Fullsup."""
FLOORS = ("threshold", "empty", "whole-brain")
"""Rules that the paper does not have: below them no method has learned anything."""

PAPER = Recipe(
    "paper",
    "CLISC, Ma et al., ISBI 2025",
    (
        MethodsPart("table1", "Table 1: methods, and Figure 2: examples", (*TABLE_1, *FLOORS), published="table1"),
        StudyPart("table2", "Table 2: what each step of CLISC adds", "clisc", "table2", published="table2"),
        SweepPart("figure3a", "Figure 3(a): the share that AMDA masks", "clisc", "amda.alpha", (0, 10, 20, 30)),
        SweepPart("figure3b", "Figure 3(b): the share that S3F drops", "clisc", "s3f.beta", (0, 10, 20, 30, 40)),
    ),
)


@hookimpl
def ubench_recipes() -> list[Recipe]:
    """Register the recipe."""
    return [PAPER]
