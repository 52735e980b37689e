"""Generate on Cloud inside Stable Diffusion WebUI: a pure core, and what binds it to the host program.

Python 3.10, the standard library and the host's own Pillow and gradio; nothing is installed into the host.
"""

__version__ = "0.3.0"
