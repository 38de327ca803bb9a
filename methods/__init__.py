"""The built-in methods, one plugin a file or folder; they are registered by entry point exactly as a stranger's are."""
