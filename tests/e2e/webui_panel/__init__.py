"""The panel in a WebUI, driven by a browser against the local cloud: one browser and one host of each kind for all."""
