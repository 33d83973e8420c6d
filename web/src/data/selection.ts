// Which image the keyboard is at, and which ones are chosen.
import { computed, effect, signal, untracked } from "@preact/signals";
import { images, view } from "./images";

export const current = signal<string | null>(null);
export const chosen = signal<ReadonlySet<string>>(new Set());
/** Whether a touch selects instead of opening. */
export const touching = signal(false);
export const selecting = computed(() => touching.value || chosen.value.size > 0);

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

export function pickNone(): void {
  anchor = null;
  touching.value = false;
  chosen.value = new Set();
}
