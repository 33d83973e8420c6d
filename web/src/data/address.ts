// What is looked at is in the address: every view can be linked to, and the back button works.
import { signal } from "@preact/signals";

const NAMES = ["q", "dataset_id", "status", "favorite", "sort", "from", "to", "image", "panel"] as const;

export type Address = Partial<Record<(typeof NAMES)[number], string>>;

export const address = signal<Address>(read());

addEventListener("popstate", () => (address.value = read()));

/** Changes parts of the address; an empty text removes one. */
export function go(changes: Address, how: "push" | "replace" = "push"): void {
  const next = cleaned({ ...address.value, ...changes });
  address.value = next;
  history[how === "push" ? "pushState" : "replaceState"](null, "", link(next));
}

export function link(to: Address): string {
  const text = new URLSearchParams(cleaned(to) as Record<string, string>).toString();
  return location.pathname + (text && `?${text}`);
}

/** A click that the browser should handle by itself: a new tab or window. */
export const isPlain = (event: MouseEvent): boolean =>
  event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);

function read(): Address {
  const given = new URLSearchParams(location.search);
  const found: Address = Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? ""]));
  return cleaned({ ...found, from: day(found.from), to: day(found.to) });
}

function day(text = ""): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}

function cleaned(given: Address): Address {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}
