"""Variants of the demo checkpoint: networks, an embedding, a VAE and other checkpoints, each trained in minutes."""
