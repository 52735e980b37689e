"""Limits of one job: memory and time set them, not the ends of WebUI's sliders.

WebUI's API accepts any number, and its page exceeds its own sliders ("Resize by", hires fix). These limits keep a job
within what one GPU can hold and one run can finish; quotas limit what users may request in a day.
"""

MIN_SIDE = 8
"""Pixels of one latent."""
MAX_SIDE = 16_384
MAX_PIXELS = 2**26
"""Pixels of all pictures drawn at once, in the larger of the two passes: 8192 × 8192, or 64 of 1024 × 1024."""
MAX_PICTURES = 1000
"""Pictures of one job, over all batches."""
MAX_STEPS = 10_000
MAX_TIMESTEPS = 1000
"""Steps of a sampler that uses a model's own timesteps, of which there are a thousand."""
MAX_MEGAPIXEL_STEPS = 600_000
"""Width × height / 10⁶ × steps × pictures, for both passes together."""
MAX_SCALE = 1000
"""On either side of 0, for CFG scales and sigmas; beyond it a picture is noise."""
MAX_BLUR = 1024
"""σ of the mask's blur, in pixels."""
MAX_PROMPT = 100_000
"""Characters of a prompt, including its styles."""
MAX_EDITED = 5_000_000
"""Characters of one prompt × the number of times that editing or alternation changes it."""
MAX_ENCODED = 500_000
"""Characters of all different texts in one prompt, which are parsed one by one."""
MAX_WEIGHT = 1e6
"""On either side of 0, for weights in brackets and in tags: half precision overflows beyond it."""
