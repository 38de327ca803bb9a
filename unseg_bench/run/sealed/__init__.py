"""Sealed runs: a method that declares no supervision works in a process that the kernel keeps from the references."""
