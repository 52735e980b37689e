"""The steps that txt2img and img2img are made of, in the order a task calls them."""
