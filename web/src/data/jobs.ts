// Work that goes on after its request was answered, followed to its end.
import type { Job } from "../schema";
import { call, get, Problem } from "./api";

const PAUSE = 1000; // milliseconds
const LONGEST_PAUSE = 15_000;

/** Starts a job. */
export const started = async (method: string, path: string): Promise<Job> => (await call<Job>(method, path)).body;

/** Waits for a job, also while the service cannot be asked. Throws an Error with the job's reason when it fails. */
export async function followed(begun: Job, look: (job: Job) => void = () => {}): Promise<Job> {
  let job = begun;
  let pause = PAUSE;
  while (job.status === "queued" || job.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      job = await get<Job>(`/ai/jobs/${job.id}`);
      pause = PAUSE;
      look(job);
    } catch (error) {
      if (!passes(error)) throw error;
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
  if (job.status === "failed") throw new Error(job.error ?? "This could not be finished.");
  return job;
}

/** Whether it says nothing of the job: the network is away, or the service is busy or in trouble. */
const passes = (error: unknown): boolean =>
  error instanceof Problem && (error.status === 0 || error.status === 429 || error.status >= 500);
