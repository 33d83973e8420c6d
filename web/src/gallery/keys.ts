// The keyboard, in the grid and everywhere.
import { address, go } from "../data/address";
import { images } from "../data/images";
import { current, pick, pickAll, pickNone, selecting } from "../data/selection";

type Beside = (index: number, step: 1 | -1) => number;

/** Keys on the grid. */
export function handle(event: KeyboardEvent, beside: Beside): void {
  if (event.metaKey || event.ctrlKey || event.altKey) {
    if (event.key === "a" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      pickAll();
    }
    return;
  }
  const list = images.value;
  const index = list.findIndex((one) => one.id === current.value);
  const to: Record<string, () => number> = {
    ArrowRight: () => Math.min(list.length - 1, index + 1),
    ArrowLeft: () => Math.max(0, index - 1),
    ArrowDown: () => beside(index, 1),
    ArrowUp: () => beside(index, -1),
    Home: () => 0,
    End: () => list.length - 1,
  };
  if (to[event.key]) {
    event.preventDefault();
    current.value = list[to[event.key]!()]?.id ?? null;
  } else if (event.key === " " || event.key.toLowerCase() === "x") {
    event.preventDefault();
    if (list[index] && list[index].status !== "pending") pick(list[index].id, event.shiftKey);
  }
}

/** Keys anywhere, while nobody types. */
export function everywhere(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (document.querySelector("dialog[open]")) return;
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "Escape" && selecting.value) return pickNone();
  if (target.closest("input, textarea, select, dialog")) return;
  const acts: Record<string, () => void> = {
    "/": () => document.getElementById("search")?.focus(),
    n: () => document.getElementById("prompt")?.focus(),
    "?": () => go({ ...address.value, panel: "keys" }),
  };
  if (acts[event.key]) {
    event.preventDefault();
    acts[event.key]!();
  }
}
