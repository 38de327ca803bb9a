"""The one tree of errors: whatever a user can mend is a `UbenchError`."""


class UbenchError(Exception):
    """Anything a user can mend; the message names the file or option at fault and the remedy.

    `exit_code` is what the command line ends with: 2 for bad input, 1 for a run that failed.
    """

    exit_code = 2


class DataError(UbenchError):
    """An image, a reference mask, a split or a data folder is missing or malformed."""


class SettingsError(UbenchError):
    """An option, a preset or a settings file is wrong: unknown name, wrong type, value out of range."""


class PluginError(UbenchError):
    """A plugin is unknown, does not import, or breaks the contract of its role."""


class WeightsError(UbenchError):
    """A weights file is missing, has the wrong checksum or belongs to another architecture."""


class LabelAccessError(UbenchError):
    """A method asked for a reference mask or slice label that its declared supervision does not grant."""

    exit_code = 1


class RunError(UbenchError):
    """A run could not be finished: a stage failed, or its result is unusable (say, all predictions empty)."""

    exit_code = 1


class DiskFullError(RunError):
    """There is no room on a disk; the message names the folder."""


class ScoreError(UbenchError):
    """Predictions and references cannot be scored or compared: shapes, cases or scoring rules differ."""
