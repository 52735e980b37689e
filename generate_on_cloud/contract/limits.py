"""How much one job may ask for: memory and time bound it, not the ends of WebUI's sliders.

WebUI's API takes any number, and its page goes beyond its own sliders ("Resize by", hires fix). These bounds keep a job
within what one GPU can hold and one run can do; quotas bound what users may ask for in a day.
"""

MIN_SIDE = 8
"""Pixels; one latent."""
MAX_SIDE = 16_384
MAX_PIXELS = 2**26
"""Pixels of all pictures drawn at once, in the larger of the two passes: 8192 × 8192, or 64 of 1024 × 1024."""
MAX_PICTURES = 1000
"""Of one job, all batches."""
MAX_STEPS = 10_000
MAX_TIMESTEPS = 1000
"""Steps of a sampler that walks a model's own timesteps, of which there are a thousand."""
MAX_MEGAPIXEL_STEPS = 600_000
"""Width × height / 10⁶ × steps × pictures, of both passes."""
MAX_SCALE = 1000
"""Either side of 0, for CFG scales and sigmas: beyond it a picture is noise."""
MAX_BLUR = 1024
"""σ of the mask's blur in pixels."""
MAX_PROMPT = 100_000
"""Characters of a prompt, with its styles."""
MAX_EDITED = 5_000_000
"""Characters of one prompt × the times at which editing or alternation changes it."""
MAX_ENCODED = 500_000
"""Characters of all different texts of one prompt, which are parsed one by one."""
MAX_WEIGHT = 1e6
"""Either side of 0, for weights in brackets and in tags: half precision overflows beyond it."""
