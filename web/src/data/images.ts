// The images that are being looked at: pages of the history, as far as anybody has scrolled.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { Image, ImagePage } from "../schema";
import { address, type Address } from "./address";
import { get, words, type Query } from "./api";
import { start } from "./days";
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
    const page = await pageAfter(cursor, PAGE, mine.signal);
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

/** A page of what is looked at. */
export const pageAfter = (cursor: string | null, limit: number, stop?: AbortSignal): Promise<ImagePage> =>
  get<ImagePage>(address.value.q ? SEARCH : LIST, { ...asked(address.value), limit, cursor }, stop);

/** The API's words for a view: instants for days, of which the last is included. */
export function asked(view: Address): Query {
  const { q, dataset_id, status, favorite, from, to } = view;
  return { q, sort: q && view.sort, dataset_id, status, favorite, from: from && start(from), to: to && start(to, 1) };
}

/** Whether a new image is one of those that are looked at. */
export function belongs(image: Image): boolean {
  const { q, dataset_id, status, favorite, from, to } = address.value;
  const made = Date.parse(image.created_at);
  const isOfStatus = !status || status === "all" || status === "pending";
  const isOfDays = !(from && made < Date.parse(start(from))) && !(to && made >= Date.parse(start(to, 1)));
  return isOfStatus && !q && !favorite && (dataset_id ?? image.dataset_id) === image.dataset_id && isOfDays;
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

export function drop(ids: Iterable<string>): void {
  const gone = new Set(ids);
  images.value = images.value.filter((one) => !gone.has(one.id));
}

/** Lists again what was dropped, where it stood in the list `before`; what has come since then stays. */
export function putBack(dropped: Image[], before: Image[]): void {
  if (!dropped.length) return;
  const [known, back] = [new Set(before.map((one) => one.id)), new Set(dropped.map((one) => one.id))];
  const now = images.value;
  const listed = new Map(now.map((one) => [one.id, one]));
  const first = now.findIndex((one) => known.has(one.id));
  const older = before.flatMap((one) => listed.get(one.id) ?? (back.has(one.id) ? one : []));
  const newer = now.slice(0, Math.max(0, first));
  images.value = [...newer, ...older, ...now.slice(Math.max(0, first)).filter((one) => !known.has(one.id))];
}
