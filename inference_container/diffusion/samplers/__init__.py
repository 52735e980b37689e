"""The samplers, one small module per family, and a table of them by WebUI's names."""
