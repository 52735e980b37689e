"""Generated and absurd requests against a local cloud."""
