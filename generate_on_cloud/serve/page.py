"""The page that a person sees who opens the server in a browser."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Generate on Cloud</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}</style>
</head><body>
<h1>Generate on Cloud: WebUI's API</h1>
<p>This server answers the API of Stable Diffusion WebUI 1.10.1 under <code>/sdapi/v1</code> and draws in your cloud.
There is no page to draw on here: give this address to a program that speaks WebUI's API, such as Krita, Photoshop,
Blender, SillyTavern, Open WebUI or a script.</p>
<p>What works with which program is in <code>docs/clients.md</code> of the project. The terminal in which
<code>goc serve</code> runs shows each job with its seconds and cost.</p>
<ul>
<li>Draw: <code>POST /sdapi/v1/txt2img</code>, <code>img2img</code></li>
<li>Upscale and describe: <code>extra-single-image</code>, <code>extra-batch-images</code>, <code>interrogate</code>,
<code>png-info</code></li>
<li>Follow: <code>GET /sdapi/v1/progress</code>, <code>POST /sdapi/v1/interrupt</code></li>
<li>Choose: <code>GET</code> and <code>POST /sdapi/v1/options</code></li>
<li>Lists: <code>sd-models</code>, <code>sd-vae</code>, <code>samplers</code>, <code>schedulers</code>,
<code>upscalers</code>, <code>loras</code>, <code>embeddings</code>, <code>hypernetworks</code>, <code>scripts</code>,
<code>/controlnet/model_list</code> and others</li>
</ul>
</body></html>
"""
