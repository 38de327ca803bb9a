"""Names for the shell to complete."""


def complete_method(incomplete: str) -> list[str]:
    """Return the methods whose name begins so."""
    from unseg_bench.plugins.manager import load_plugins

    return sorted(name for name in load_plugins().methods if name.startswith(incomplete))


def complete_dataset(incomplete: str) -> list[str]:
    """Return the data sets whose name begins so."""
    from unseg_bench.plugins.manager import load_plugins

    return sorted(name for name in load_plugins().datasets if name.startswith(incomplete))
