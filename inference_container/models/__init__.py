"""Loads model files into diffusers and other modules and keeps them in memory between jobs."""
