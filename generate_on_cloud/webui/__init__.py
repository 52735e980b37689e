"""Reads and writes WebUI's text formats as WebUI 1.10.1 does: prompts, styles and infotext."""
