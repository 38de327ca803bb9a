"""A VAE of normal slices with a constraint on an inner map: network, losses, training, maps."""
