"""Picture processing: decoding with limits, resizing, masks, overlays, encoding with infotext."""
