"""From noise to latents: noise schedules, noise sources, the denoiser with guidance, and samplers over explicit σ."""
