"""The miniature pair: a CLIP and a SAM of the real classes in small, with weights in the package."""
