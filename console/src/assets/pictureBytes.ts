/** A model file's picture as the API takes it: small, as a WebP in base64. */
const LONGEST = 512;
const QUALITY = 0.85;

export async function smallPicture(picture: Blob): Promise<string> {
  const bitmap = await createImageBitmap(picture);
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  // Browsers that write no WebP answer with a PNG, which the API takes as well.
  const small = await canvas.convertToBlob({ type: "image/webp", quality: QUALITY });
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1]!);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(small);
  });
}
