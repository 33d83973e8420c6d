// Making images: the form's draft, its submission, and following what is under way to its end.
import { signal } from "@preact/signals";
import type { GenerateRequest, Image } from "../schema";
import { call, get, Problem } from "./api";
import { drop, images, put } from "./images";
import { loadUsage } from "./shelves";

/** The form, as texts; an empty one is left to the deployment. */
export interface Draft {
  prompt: string;
  negative_prompt: string;
  style: string;
  dataset_id: string;
  model: string;
  aspect_ratio: NonNullable<GenerateRequest["aspect_ratio"]>;
  quality: NonNullable<GenerateRequest["quality"]>;
  format: NonNullable<GenerateRequest["format"]>;
  resolution: NonNullable<GenerateRequest["resolution"]>;
  seed: string;
}

export const EMPTY: Draft = {
  prompt: "",
  negative_prompt: "",
  style: "",
  dataset_id: "",
  model: "",
  aspect_ratio: "1:1",
  quality: "standard",
  format: "png",
  resolution: "1K",
  seed: "",
};

export const draft = signal<Draft>({ ...EMPTY });
export const parent = signal<Image | null>(null);
/** Whether a dataset of the image that is made again is taken as it was, or as it is. */
export const dataset = signal<"frozen" | "current">("frozen");
export const problem = signal<Problem | null>(null);

const FIRST_LOOK = 700; // milliseconds
const LONGEST_PAUSE = 5000;

export function change(changes: Partial<Draft>): void {
  draft.value = { ...draft.value, ...changes };
}

/** The form as the record of an image has it. */
export function draftOf(image: Image): Draft {
  const { prompt, aspect_ratio, quality, format, resolution } = image;
  return {
    prompt,
    aspect_ratio,
    quality,
    format,
    resolution,
    negative_prompt: image.negative_prompt ?? "",
    style: image.style ?? "",
    dataset_id: image.dataset_id ?? "",
    model: image.model ?? "",
    seed: "",
  };
}

/** Sends the draft. Its picture takes its place in the gallery at once, and comes to life when it is there. */
export async function generate(): Promise<void> {
  const sent = draft.value;
  const after = parent.value;
  const placeholder = pendingImage(sent);
  problem.value = null;
  put(placeholder);
  try {
    const answer = await call<Image>("POST", after ? `/ai/generated-images/${after.id}/regenerate` : "/ai/generate", {
      body: after ? changes(sent, after) : body(sent),
      headers: { "idempotency-key": placeholder.id, prefer: "respond-async" },
    });
    put(answer.body, placeholder.id);
    if (answer.body.status === "pending") void follow(answer.body.id);
  } catch (error) {
    drop(placeholder.id);
    if (!(error instanceof Problem)) throw error;
    problem.value = error;
    if (error.imageId) void show(error.imageId);
  }
  void loadUsage();
}

/** Looks again and again, ever less often, until the image has its final status or is not listed any more. */
export async function follow(id: string): Promise<void> {
  for (let pause = FIRST_LOOK; ; pause = Math.min(pause * 1.3, LONGEST_PAUSE)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!images.value.some((one) => one.id === id)) return;
    if (await show(id)) return;
  }
}

/** Whether the image is final; a failure to ask is not. */
async function show(id: string): Promise<boolean> {
  try {
    const image = await get<Image>(`/ai/generated-images/${id}`);
    put(image);
    return image.status !== "pending";
  } catch (error) {
    if (error instanceof Problem && error.status === 404) drop(id);
    return error instanceof Problem && error.status === 404;
  }
}

export function body(from: Draft): Record<string, unknown> {
  const { seed, ...texts } = from;
  const given = Object.entries(texts).filter(([, value]) => value.trim() !== "");
  return { ...Object.fromEntries(given), prompt: from.prompt, ...(seed.trim() !== "" && { seed: Number(seed) }) };
}

/** What is to be otherwise than the image was made; null is left to the deployment. */
export function changes(from: Draft, after: Image): Record<string, unknown> {
  const before = draftOf(after);
  const { seed, ...texts } = from;
  const other = Object.entries(texts).filter(([name, value]) => value !== before[name as keyof Draft]);
  const named = Object.fromEntries(other.map(([name, value]) => [name, value.trim() === "" ? null : value]));
  return { ...named, ...("prompt" in named && { prompt: from.prompt }), ...seedOf(seed, after), dataset: dataset.value };
}

const seedOf = (seed: string, after: Image) =>
  seed.trim() === "" ? {} : { seed: seed === String(after.seed) ? "same" : Number(seed) };

function pendingImage(from: Draft): Image {
  return {
    ...from,
    id: crypto.randomUUID(),
    status: "pending",
    full_prompt: from.prompt,
    created_at: new Date().toISOString(),
    seed: null,
    style: from.style || null,
    dataset_id: from.dataset_id || null,
    negative_prompt: from.negative_prompt || null,
    user_id: null,
    image_url: null,
    thumbnail_url: null,
    reference_images_count: 0,
    unique_visual_elements: null,
    visual_elements_source: null,
    error: null,
    provider: null,
    model: from.model || null,
    model_id: null,
    width: null,
    height: null,
    bytes: null,
    sha256: null,
    cost_usd: null,
    generation_ms: null,
    parent_id: parent.value?.id ?? null,
    dataset_version: null,
    reference_images: null,
    dropped_params: null,
    favorite: false,
    deleted_at: null,
  };
}
