"""The steps of txt2img and img2img."""
