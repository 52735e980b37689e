"""Model files: what is in them, how they become diffusers modules, and keeping them warm in memory."""
