"""WebUI's prompt language as text: parsed and checked without a model."""
