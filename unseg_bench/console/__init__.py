"""What is shown to people: streams, consoles, and how far a run is."""
