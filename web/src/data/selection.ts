// Which image the keyboard is at, and which ones are chosen.
import { computed, effect, signal, untracked } from "@preact/signals";
import { complain } from "./api";
import { images, pageAfter, view } from "./images";

export const current = signal<string | null>(null);
export const chosen = signal<ReadonlySet<string>>(new Set());
/** Whether a touch selects instead of opening. */
export const touching = signal(false);
export const selecting = computed(() => touching.value || chosen.value.size > 0);

/** How many images that match have been found so far, while all of them are looked for. */
export const gathered = signal<number | null>(null);

const PAGE = 200;

let anchor: string | null = null;

/** Nothing stays chosen that is not listed any more. */
export function follow(): void {
  effect(() => {
    void view.value;
    untracked(pickNone);
  });
}

/** Chooses an image or gives it up; with `range`, all from the last one to this. */
export function pick(id: string, range = false): void {
  const next = new Set(chosen.value);
  const ids = images.value.map((one) => one.id);
  const [from, to] = [anchor === null ? -1 : ids.indexOf(anchor), ids.indexOf(id)];
  if (range && from >= 0 && to >= 0) {
    for (const one of ids.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one);
  } else if (!next.delete(id)) {
    next.add(id);
  }
  anchor = id;
  chosen.value = next;
}

export function pickAll(): void {
  chosen.value = new Set(images.value.filter((one) => one.status !== "pending").map((one) => one.id));
}

/** Chooses every image that the view lists, loaded or not. Giving up the selection, or another view, ends it. */
export async function pickMatching(): Promise<void> {
  const seen = view.value;
  const found = new Set<string>();
  gathered.value = 0;
  try {
    for (let cursor: string | null = null, first = true; first || cursor; first = false) {
      const page = await pageAfter(cursor, PAGE);
      if (gathered.value === null || view.value !== seen) return;
      for (const one of page.images) if (one.status !== "pending") found.add(one.id);
      gathered.value = found.size;
      cursor = page.next_cursor;
    }
    chosen.value = found;
  } catch (error) {
    complain(error);
  }
  gathered.value = null;
}

export function pickNone(): void {
  anchor = null;
  gathered.value = null;
  touching.value = false;
  chosen.value = new Set();
}
