"""WebUI's own texts, read and written as WebUI 1.10.1 does: prompts, styles and infotext."""
