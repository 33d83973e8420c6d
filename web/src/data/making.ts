// Making images: the form's draft, its submission, and following what is under way to its end.
import { signal } from "@preact/signals";
import type { Image } from "../schema";
import { go } from "./address";
import { call, get, Problem } from "./api";
import { dataset, draft, parent, type Draft } from "./draft";
import { belongs, drop, put } from "./images";
import { sending } from "./pending";
import { caller, CallerChanged, mayPublish } from "./session";
import { loadUsage } from "./shelves";
import { tell } from "./toasts";

export const problem = signal<Problem | null>(null);

const DOUBLE = 600; // milliseconds in which the same again is a slip of the finger

/** What was sent last, until when the same is a double click, and its key while its outcome is unknown. */
let last = { text: "", until: 0, key: "" };

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

/**
 * Sends the draft. Its picture takes its place in the gallery at once, and comes to life when it is there.
 * The same draft again, before the first is answered or at once after it, is a double click; after a request whose
 * outcome is unknown it is that request again.
 */
export async function generate(): Promise<void> {
  const [sent, after, who] = [draft.value, parent.value, caller.value];
  const text = JSON.stringify([sent, after?.id, dataset.value, who]);
  if (text === last.text && Date.now() < last.until) return;
  if (!mayPublish("image")) return;
  const placeholder = pendingImage(sent, (text === last.text && last.key) || crypto.randomUUID());
  const mine = (last = { text, until: Infinity, key: placeholder.id });
  const again = Date.now() + DOUBLE;
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
    [mine.until, mine.key] = [again, ""];
    made = answer.body;
    if (belongs(made)) put(made, placeholder.id);
    else drop([placeholder.id]);
  } catch (error) {
    mine.until = 0;
    made = null;
    drop([placeholder.id]);
    if (error instanceof CallerChanged) return;
    if (!(error instanceof Problem)) throw error;
    if (error.status && error.status < 500) mine.key = "";
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

function pendingImage(from: Draft, id: string): Image {
  return {
    ...from,
    id,
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
