"""A reporter that says nothing."""


class Silent:
    """Hears how far a run is and keeps it."""

    def run_begins(self, title):
        pass

    def stage_begins(self, stage):
        pass

    def step(self, done, total, note):
        pass

    def stage_ends(self, stage, seconds, cached):
        pass

    def message(self, text):
        pass
