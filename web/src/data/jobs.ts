// Work that goes on after its request was answered, followed to its end.
import type { Job } from "../schema";
import { call, get } from "./api";

const PAUSE = 1000; // milliseconds

/** Starts a job and waits for it. Throws an Error with the job's reason when it fails. */
export async function finished(method: string, path: string): Promise<Job> {
  return followed((await call<Job>(method, path)).body);
}

export async function followed(begun: Job, look: (job: Job) => void = () => {}): Promise<Job> {
  let job = begun;
  while (job.status === "queued" || job.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    job = await get<Job>(`/ai/jobs/${job.id}`);
    look(job);
  }
  if (job.status === "failed") throw new Error(job.error ?? "This could not be finished.");
  return job;
}
