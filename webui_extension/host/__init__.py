"""What binds the core to AUTOMATIC1111, reForge and Forge: components, events and the host's own functions."""
