"""WebUI's prompt language, as text: read, checked and taken apart without a model."""
