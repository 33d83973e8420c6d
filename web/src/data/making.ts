// Making images: the form's draft, its submission, and following what is under way to its end.
import { signal } from "@preact/signals";
import type { GenerateRequest, Image } from "../schema";
import { go } from "./address";
import { call, get, Problem } from "./api";
import { belongs, drop, put } from "./images";
import { sending } from "./pending";
import { caller } from "./session";
import { loadUsage } from "./shelves";
import { tell } from "./toasts";

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

const DOUBLE = 600; // milliseconds in which the same again is a slip of the finger

let last = { text: "", until: 0 };

/** Changes the form. What was said about it does not hold any more. */
export function change(changes: Partial<Draft>): void {
  problem.value = null;
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

/** Makes the form another caller's: empty, unless it was filled by nobody in particular. */
export function forget(keepsDraft: boolean): void {
  if (!keepsDraft) draft.value = { ...EMPTY };
  parent.value = null;
  dataset.value = "frozen";
  problem.value = null;
}

/**
 * Sends the draft. Its picture takes its place in the gallery at once, and comes to life when it is there.
 * The same draft again, before the first is answered or at once after it, is a double click.
 */
export async function generate(): Promise<void> {
  const [sent, after, who] = [draft.value, parent.value, caller.value];
  const text = JSON.stringify([sent, after?.id, dataset.value, who]);
  if (text === last.text && Date.now() < last.until) return;
  const mine = (last = { text, until: Infinity });
  const again = Date.now() + DOUBLE;
  const placeholder = pendingImage(sent);
  problem.value = null;
  sending.add(placeholder.id);
  let made: Image | null = placeholder;
  if (belongs(made)) put(made);
  else offer(() => made);
  try {
    const answer = await call<Image>("POST", after ? `/ai/generated-images/${after.id}/regenerate` : "/ai/generate", {
      body: after ? changes(sent, after) : body(sent),
      headers: { "idempotency-key": placeholder.id, prefer: "respond-async" },
    });
    mine.until = again;
    made = answer.body;
    if (caller.value === who && belongs(made)) put(made, placeholder.id);
    else drop(placeholder.id);
  } catch (error) {
    mine.until = 0;
    made = null;
    drop(placeholder.id);
    if (!(error instanceof Problem)) throw error;
    if (caller.value !== who) return;
    problem.value = error;
    if (error.imageId) void show(error.imageId);
  } finally {
    sending.delete(placeholder.id);
  }
  void loadUsage();
}

/** Lists what was kept of a generation that failed. */
async function show(id: string): Promise<void> {
  const image = await get<Image>(`/ai/generated-images/${id}`).catch(() => null);
  if (image && belongs(image)) put(image);
}

/** Says that an image is made which is none of those that are listed, and leads to it. */
function offer(made: () => Image | null): void {
  const run = () => {
    go({ q: "", dataset_id: "", status: "", favorite: "", sort: "", from: "", to: "" });
    const image = made();
    if (image) put(image);
  };
  tell("Being made. It is not one of those that are listed here.", { act: { label: "Show", run } });
}

export function body(from: Draft): Record<string, unknown> {
  const { seed, ...texts } = from;
  const given = Object.entries(texts).filter(([, value]) => value.trim() !== "");
  return { ...Object.fromEntries(given), prompt: from.prompt, ...(seed.trim() !== "" && { seed: number(seed) }) };
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
  seed.trim() === "" ? {} : { seed: seed === String(after.seed) ? "same" : number(seed) };

/** What is no number goes as it is, for the API to say so. */
const number = (text: string): number | string => (Number.isNaN(Number(text)) ? text : Number(text));

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
