"""Settings, stages and their content-addressed cache, the run folder, and the runner: cases in, predictions out."""
