"""The `goc` command."""
