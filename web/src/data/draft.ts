// The form's draft. It stays in the tab over a reload and a sign-in elsewhere, and belongs to who wrote it.
import { effect, signal } from "@preact/signals";
import type { GenerateRequest, Image } from "../schema";
import { onCallerChange, personOf, session } from "./session";

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

interface Kept {
  person: string | null;
  draft: Draft;
  parent: Image | null;
  dataset: "frozen" | "current";
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

const KEPT = "draft";

export const draft = signal<Draft>({ ...EMPTY });
/** The image that is generated again. */
export const parent = signal<Image | null>(null);
/** Whether a dataset of the image that is generated again is taken as it was, or as it is. */
export const dataset = signal<"frozen" | "current">("frozen");

/** Restores the draft, keeps it while it changes, and drops it when its writer leaves; who signs in takes theirs along. */
export function follow(): void {
  const kept = read();
  if (kept && (kept.person === null || kept.person === personOf(session.peek()))) {
    draft.value = { ...EMPTY, ...kept.draft };
    parent.value = kept.parent;
    dataset.value = kept.dataset;
  }
  onCallerChange((hasLeft) => {
    if (hasLeft) draft.value = { ...EMPTY };
    parent.value = null;
    dataset.value = "frozen";
  });
  effect(() => {
    const kept: Kept = { person: personOf(session.value), draft: draft.value, parent: parent.value, dataset: dataset.value };
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
  });
}

function read(): Kept | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}
