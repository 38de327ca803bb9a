"""The `ubench` command: parse, call one function of the package, print."""
