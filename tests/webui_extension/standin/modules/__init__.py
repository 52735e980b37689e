"""Look-alikes of the host's modules, written from the description of what the panel uses."""
