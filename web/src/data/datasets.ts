// Keeping datasets and their reference images.
import { signal } from "@preact/signals";
import type { Dataset, DatasetReference, ReferenceUpload } from "../schema";
import { call, get, Problem } from "./api";
import { followed, started } from "./jobs";
import { datasets, loadDatasets } from "./shelves";

/** A file on its way: the part that has arrived, from 0 to 1, or why it never will. */
export interface Upload {
  key: number;
  name: string;
  preview: string;
  part: number;
  fault: string;
}

export interface Fields {
  name: string;
  brand: string;
  vibe: string;
  elements: string;
  isPublic: boolean;
}

export const TYPES = ["image/png", "image/jpeg", "image/webp"] as const;
export const uploads = signal<Upload[]>([]);

let last = 0;

export const load = (id: string): Promise<Dataset> => get<Dataset>(`/ai/datasets/${id}`);

export const fieldsOf = (dataset: Dataset | null): Fields => ({
  name: dataset?.name ?? "",
  brand: dataset?.brand ?? "",
  vibe: dataset?.vibe ?? "",
  elements: dataset?.unique_visual_elements.join("\n") ?? "",
  isPublic: dataset?.visibility === "public",
});

/** What is in the form when the dataset has become `next`: what was typed since `held` stays, all else is as it is now. */
export function rebased(fields: Fields, held: Dataset | null, next: Dataset): Fields {
  const [before, now] = [fieldsOf(held), fieldsOf(next)];
  const typed = Object.entries(fields).filter(([name, value]) => value !== before[name as keyof Fields]);
  const merged: Fields = { ...now, ...Object.fromEntries(typed) };
  if (fields.elements !== before.elements && now.elements !== before.elements) {
    merged.elements = [...new Set([...lines(fields.elements), ...lines(now.elements)])].join("\n");
  }
  return merged;
}

const lines = (text: string): string[] => text.split("\n").map((one) => one.trim()).filter(Boolean);

/** Creates a dataset, or changes one if nobody else has since it was read. */
export async function save(fields: Fields, held: Dataset | null, signedIn: boolean): Promise<Dataset> {
  const body = {
    name: fields.name,
    brand: fields.brand.trim() || null,
    vibe: fields.vibe.trim() || null,
    unique_visual_elements: lines(fields.elements),
    ...(signedIn && { visibility: fields.isPublic ? "public" : "private" }),
  };
  const answer = held
    ? await call<Dataset>("PATCH", `/ai/datasets/${held.id}`, { body, headers: { "if-match": `"${held.version}"` } })
    : await call<Dataset>("POST", "/ai/datasets", { body });
  await loadDatasets();
  return answer.body;
}

/** Deletes a dataset; settles when no record names it any more. */
export async function remove(dataset: Dataset): Promise<void> {
  const job = started("DELETE", `/ai/datasets/${dataset.id}`);
  datasets.value = datasets.value.filter((one) => one.id !== dataset.id);
  await job.then(followed).finally(loadDatasets);
}

export async function suggest(dataset: Dataset): Promise<Dataset> {
  return (await call<Dataset>("POST", `/ai/datasets/${dataset.id}/visual-elements`)).body;
}

export async function removeReference(dataset: Dataset, reference: DatasetReference): Promise<Dataset> {
  return (await call<Dataset>("DELETE", `/ai/datasets/${dataset.id}/reference-images/${reference.id}`)).body;
}

/** Uploads one file past the API; its part is seen in `uploads` until the dataset shows it. */
export async function upload(dataset: Dataset, file: File): Promise<void> {
  const key = ++last;
  const show = (changes: Partial<Upload>) =>
    (uploads.value = uploads.value.map((one) => (one.key === key ? { ...one, ...changes } : one)));
  uploads.value = [...uploads.value, { key, name: file.name, preview: URL.createObjectURL(file), part: 0, fault: "" }];
  try {
    if (!TYPES.some((one) => one === file.type)) throw new Problem(0, "", "Only PNG, JPEG and WebP can be a reference.");
    const { body: form } = await call<ReferenceUpload>("POST", `/ai/datasets/${dataset.id}/reference-images`, {
      body: { content_type: file.type, file_name: file.name.slice(0, 200) },
    });
    if (file.size > form.max_bytes) throw new Problem(0, "", "This file is too large.");
    await send(form, file, (part) => show({ part }));
    await judged(dataset.id, form.id);
    dismiss(key);
  } catch (error) {
    show({ fault: error instanceof Error ? error.message : String(error) });
  }
}

export function dismiss(key: number): void {
  const gone = uploads.value.find((one) => one.key === key);
  if (gone) URL.revokeObjectURL(gone.preview);
  uploads.value = uploads.value.filter((one) => one.key !== key);
}

/** `fetch` tells nothing of an upload's progress, so this is the older way. */
function send(form: ReferenceUpload, file: File, progress: (part: number) => void): Promise<void> {
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error("The upload was refused.")));
    request.onerror = () => reject(new Error("The upload broke off. Please try again."));
    request.open("POST", form.url);
    request.send(body);
  });
}

async function judged(dataset: string, reference: string): Promise<void> {
  for (let look = 0; look < 40; look++) {
    const found = (await load(dataset)).reference_images.find((one) => one.id === reference);
    if (found?.status !== "awaiting") return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
