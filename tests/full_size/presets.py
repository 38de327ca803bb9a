"""The presets for real data of every built-in method, as they are registered: a new one is run without being listed."""

from unseg_bench.plugins.manager import load_plugins

SMALL = {"demo", "check"}
OWN_TESTS = {"clisc", "salip", "sam-prompts", "amcons", "gradcamcons", "implicit-field", "sim2real", "supervised-unet"}
"""Methods whose runs are lowered or looked at in ways of their own."""


def presets_of(method: str) -> list[str]:
    """Return a method's presets without those for phantoms and miniatures."""
    return [preset for preset in load_plugins().methods[method].presets if preset not in SMALL]


def others() -> list[tuple[str, str]]:
    """Return (method, preset) of all methods without a test of their own."""
    names = sorted(set(load_plugins().methods) - OWN_TESTS)
    return [(method, preset) for method in names for preset in presets_of(method)]
