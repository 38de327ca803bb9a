"""unseg-bench: how well does a method segment brain tumours without having been told where tumours are?"""

__version__ = "0.1.0"
