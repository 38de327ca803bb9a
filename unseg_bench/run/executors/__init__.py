"""How the runs of one call are spread over processes and machines: one file a way."""
