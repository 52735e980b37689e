"""Pictures in and out: decoding with limits, resizing, masks, overlays, encoding with infotext."""
