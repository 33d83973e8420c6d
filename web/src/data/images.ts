// The images that are being looked at: pages of the history, as far as anybody has scrolled.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { Image, ImagePage } from "../schema";
import { address, type Address } from "./address";
import { get, words, type Query } from "./api";
import { caller } from "./session";

export type Phase = "loading" | "more" | "end" | "failed";

const PAGE = 100;
const LIST = "/ai/generated-images";
const SEARCH = "/ai/generated-images/search";

export const images = signal<Image[]>([]);
export const phase = signal<Phase>("loading");
export const failure = signal("");

/** The view: who looks, and every part of the address that chooses what is listed. */
export const view = computed(() => {
  const { image: _image, panel: _panel, ...rest } = address.value;
  return JSON.stringify([caller.value, rest]);
});

let cursor: string | null = null;
let running: AbortController | null = null;

/** Lists from the start whenever the view changes. */
export function follow(): void {
  effect(() => {
    void view.value;
    untracked(restart);
  });
}

export function restart(): void {
  running?.abort();
  running = null;
  cursor = null;
  batch(() => {
    images.value = [];
    phase.value = "more";
  });
  void more();
  void underWay();
}

/** What is under way is not in the history yet, and listed before it: a page that is opened again shows it again. */
async function underWay(): Promise<void> {
  const { q, status, favorite } = address.value;
  if (q || status || favorite) return;
  const seen = view.value;
  const query = { ...asked(address.value), status: "pending", limit: PAGE };
  const page = await get<ImagePage>(LIST, query).catch(() => null);
  if (!page || view.value !== seen) return;
  const known = new Set(images.value.map((one) => one.id));
  images.value = [...page.images.filter((one) => !known.has(one.id)), ...images.value];
}

/** The next page, unless one is under way. */
export async function more(): Promise<void> {
  if (running || phase.value === "end") return;
  const mine = (running = new AbortController());
  phase.value = "loading";
  try {
    const page = await get<ImagePage>(address.value.q ? SEARCH : LIST, { ...asked(address.value), limit: PAGE, cursor }, mine.signal);
    if (running !== mine) return;
    const known = new Set(images.value.map((one) => one.id));
    cursor = page.next_cursor;
    batch(() => {
      images.value = [...images.value, ...page.images.filter((one) => !known.has(one.id))];
      phase.value = cursor ? "more" : "end";
    });
  } catch (error) {
    if (mine.signal.aborted) return;
    batch(() => {
      phase.value = "failed";
      failure.value = words(error);
    });
  } finally {
    if (running === mine) running = null;
  }
}

/** The API's words for a view. Days are UTC's; `to` is included here, and not there. */
export function asked(view: Address): Query {
  const { q, dataset_id, status, favorite } = view;
  const sort = q && view.sort;
  return { q, sort, dataset_id, status, favorite, from: view.from, to: after(view.to) };
}

/** Whether a new image is one of those that are looked at. */
export function belongs(image: Image): boolean {
  const { q, dataset_id, status, favorite, from, to } = address.value;
  const day = image.created_at.slice(0, 10);
  const isOfStatus = !status || status === "all" || status === "pending";
  return isOfStatus && !q && !favorite && (dataset_id ?? image.dataset_id) === image.dataset_id && day >= (from ?? "") && day <= (to ?? day);
}

/** Puts a record in the place of its older self, or of another, or in front of all. */
export function put(image: Image, instead?: string): void {
  const others = images.value.filter((one) => one.id !== instead);
  const at = others.findIndex((one) => one.id === image.id);
  const place = at < 0 ? images.value.findIndex((one) => one.id === instead) : -1;
  if (at >= 0) images.value = others.with(at, image);
  else images.value = place < 0 ? [image, ...others] : images.value.with(place, image);
}

/** Puts a record where its older self is, if it is listed. */
export function replace(image: Image): void {
  images.value = images.value.map((one) => (one.id === image.id ? image : one));
}

export function drop(...ids: string[]): void {
  const gone = new Set(ids);
  images.value = images.value.filter((one) => !gone.has(one.id));
}

/** The midnight, in UTC, that a day ends with. */
function after(day: string | undefined): string | undefined {
  return day && new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
}
