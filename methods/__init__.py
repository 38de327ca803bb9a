"""The built-in methods, one plugin per file or folder, registered by entry point exactly as a stranger's are."""
