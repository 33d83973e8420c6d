// What there is to see of a record. That it succeeded does not say that there is a picture: an import may leave it out.
import { signal } from "@preact/signals";
import type { Image } from "../schema";
import { get, Problem } from "./api";
import { drop, replace } from "./images";

export type Sight = "picture" | "none" | "pending" | "trash" | "failed" | "blocked" | "other";

export function sightOf({ status, image_url, deleted_at }: Image): Sight {
  if (deleted_at) return "trash";
  if (status === "pending" || status === "failed" || status === "blocked") return status;
  if (status !== "succeeded") return "other";
  return image_url ? "picture" : "none";
}

/** What a record without a picture says instead. */
export function wordsFor(image: Image): string {
  const words: Record<Sight, string> = {
    picture: "",
    none: "No picture was imported",
    pending: "Generating…",
    trash: "In the trash",
    failed: "Failed",
    blocked: "Blocked",
    other: image.status.charAt(0).toUpperCase() + image.status.slice(1),
  };
  return words[sightOf(image)];
}

/** Grows when pictures that could not be loaded are worth another try: the network has returned. */
export const retries = signal(0);
addEventListener("online", () => retries.value++);

/** Reads the record of a picture that could not be loaded again: it may have left meanwhile. */
export async function reload(id: string): Promise<void> {
  try {
    replace(await get<Image>(`/ai/generated-images/${id}`));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) drop([id]);
  }
}
