// npm's stable-diffusion-api: every call that it offers for WebUI.
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(process.env.CLIENTS_FOLDER + "/package.json");
const { StableDiffusionApi } = require("stable-diffusion-api");
const sharp = require("sharp");

const [, , url, initPicture] = process.argv;
const api = new StableDiffusionApi({ baseUrl: url, timeout: 300000 });
const request = {
  prompt: "the red cat", negative_prompt: "a dog", steps: 2, width: 64, height: 64, seed: 5, cfg_scale: 7,
  sampler_name: "Euler a Karras", // it has no field for the scheduler
};
const init = sharp(Buffer.from(initPicture, "base64"));
const pictures = {};
const said = {};

async function keep(name, asked) {
  const result = await asked;
  const made = result.images.map((image) => image.png().toBuffer());
  pictures[name] = (await Promise.all(made)).map((bytes) => bytes.toString("base64"));
  return result;
}

const drawn = await keep("txt2img", api.txt2img(request));
said.info = drawn.info;
await keep("img2img", api.img2img({ ...request, init_images: [init], denoising_strength: 0.5 }));
await keep("upscaled", api.extraSingle({ image: init, upscaler_1: "Lanczos", upscaling_resize: 2 }));
await keep("batch", api.extraBatch({ images: [init], name_list: ["a"], upscaler_1: "Lanczos", upscaling_resize: 2 }));
said.pngInfo = (await api.pngInfo(sharp(Buffer.from(pictures.txt2img[0], "base64")))).info;
for (const name of ["getOptions", "getProgress", "getCmdFlags", "getSamplers", "getUpscalers", "getSdModels",
  "getHypernetworks", "getFaceRestorers", "getRealesrganModels", "getPromptStyles"]) {
  said[name] = await api[name]();
}
said.interrogate = (await api.interrogate(init, "clip")).response.data.caption;
said.currentModel = await api.getCurrentModel();
said.isReady = await api.waitForReady(0.1);
said.controlNetModels = await api.ControlNet.getModels();
said.controlNetModules = await api.ControlNet.getModules();
await keep("detect", api.ControlNet.detect({ controlnet_input_images: [init], controlnet_module: "invert",
  controlnet_processor_res: 64, controlnet_threshold_a: 64, controlnet_threshold_b: 64 }));
await api.setOptions({ CLIP_stop_at_last_layers: 1 });
await api.refreshCheckpoints();
console.log(JSON.stringify({ pictures, said }));
