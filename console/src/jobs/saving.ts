/** Puts pictures on the reader's disk, byte for byte as they are stored: their infotext is in the file. */
import { downloadZip } from "client-zip";
import { type Schemas, api } from "../api/client";
import { ProblemError, unwrap } from "../api/problem";
import { download } from "../kit/download";
import { usePreferences } from "../session/preferences";
import { distinct, fileName } from "./names";
import type { Job } from "./queries";

type Image = Schemas["ImageView"];
/** The picture of a job at this place of its result. */
interface Picture {
  job: Job;
  image: Image;
  index: number;
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

const nameOf = ({ job, image, index }: Picture): string =>
  fileName(usePreferences.getState().fileName, job, image, index, job.result?.parameters);

const picturesOf = (job: Job): Picture[] => (job.result?.images ?? []).map((image, index) => ({ job, image, index }));

export async function savePicture(job: Job, index: number): Promise<void> {
  const picture = picturesOf(job)[index]!;
  download(await pictureBlob(picture.image), nameOf(picture));
}

/** Some of a job's pictures as one zip. */
export async function savePictures(job: Job, indexes: number[]): Promise<void> {
  await saveZip(picturesOf(job).filter(({ index }) => indexes.includes(index)), `${job.job_id}.zip`);
}

/** All pictures of several jobs as one zip; jobs without a picture add nothing. */
export async function saveJobs(ids: string[]): Promise<void> {
  const pictures: Picture[] = [];
  for (const job_id of ids)
    pictures.push(...picturesOf(await unwrap(api.GET("/v1/jobs/{job_id}", { params: { path: { job_id } } }))));
  await saveZip(pictures, `${new Date().toISOString().slice(0, 10)}.zip`);
}

/** The pictures are fetched one after the other while the zip is written. */
async function saveZip(pictures: Picture[], name: string): Promise<void> {
  const names = distinct(pictures.map(nameOf));
  async function* files() {
    for (const [place, picture] of pictures.entries())
      yield { name: names[place]!, input: await pictureBlob(picture.image), lastModified: new Date(picture.job.created_at) };
  }
  download(await downloadZip(files()).blob(), name);
}
