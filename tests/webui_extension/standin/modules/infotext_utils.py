"""Override settings as texts."""

NAMES = {"Clip skip": ("CLIP_stop_at_last_layers", int), "ENSD": ("eta_noise_seed_delta", int)}


def create_override_settings_dict(text_pairs: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in text_pairs:
        key, _, value = pair.partition(":")
        if key in NAMES:
            name, read = NAMES[key]
            found[name] = read(value)
    return found
