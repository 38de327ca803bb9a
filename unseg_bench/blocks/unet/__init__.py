"""3D U-Nets: their options, networks, training and inference."""
