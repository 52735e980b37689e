"""When a failed webhook delivery is tried again."""

BACK_OFF_SECONDS = (30, 120, 600, 1800, 3600, 10_800, 21_600)
"""Wait after each failed attempt; after the last one we give up."""
MAX_ATTEMPTS = len(BACK_OFF_SECONDS) + 1
