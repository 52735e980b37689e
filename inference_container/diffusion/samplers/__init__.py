"""The solvers, one small module per family, and the table of them by WebUI's names."""
