/** Puts pictures on the reader's disk, byte for byte as they are stored: their infotext is in the file. */
import { downloadZip } from "client-zip";
import type { Schemas } from "../api/client";
import { ProblemError } from "../api/problem";
import type { Job } from "./queries";

type Image = Schemas["ImageView"];

/** `00001-1234567890-0.png` would need WebUI's counter; ours begins with the job's date and ends with the seed. */
export function fileName(job: Pick<Job, "created_at" | "job_id">, image: Image, index: number): string {
  const stamp = job.created_at.replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  const parts = [stamp, job.job_id.slice(-6), String(index + 1).padStart(2, "0"), image.seed ?? ""];
  return `${parts.filter((part) => part !== "").join("-")}.${image.format.toLowerCase()}`;
}

export async function pictureBlob(image: Pick<Image, "url">): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(image.url, { credentials: "omit", cache: "no-store" });
  } catch (error) {
    throw new ProblemError({ detail: String(error) }, "network");
  }
  if (!response.ok) throw new ProblemError({ detail: response.statusText, status: response.status }, "unknown");
  return response.blob();
}

export async function savePicture(job: Job, images: Image[], index: number): Promise<void> {
  const image = images[index]!;
  download(await pictureBlob(image), fileName(job, image, index));
}

export async function saveAll(job: Job, images: Image[]): Promise<void> {
  const files = await Promise.all(
    images.map(async (image, index) => ({ name: fileName(job, image, index), input: await pictureBlob(image) })),
  );
  download(await downloadZip(files).blob(), `${job.job_id}.zip`);
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
