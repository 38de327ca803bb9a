"""The built-in data sets, one plugin a file or folder, registered by entry point exactly as a stranger's are."""
