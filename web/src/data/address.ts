// What is looked at is in the address: every view can be linked to, and the back button works.
import { signal } from "@preact/signals";
import { isDay } from "./days";

const NAMES = ["q", "dataset_id", "status", "favorite", "sort", "from", "to", "image", "panel"] as const;

export type Address = Partial<Record<(typeof NAMES)[number], string>>;

export const address = signal<Address>(read());

addEventListener("popstate", () => (address.value = read()));

/** Changes parts of the address; an empty text removes one. What replaces an entry of the history was opened as that was. */
export function go(changes: Address, how: "push" | "replace" = "push"): void {
  const next = cleaned({ ...address.value, ...changes });
  const opened = (["image", "panel"] as const).find((name) => next[name] && !address.value[name]) ?? null;
  address.value = next;
  if (how === "replace") return history.replaceState(history.state, "", link(next));
  if (opened) history.scrollRestoration = "manual"; // a step back from here closes what lies on top, and moves nothing
  history.pushState({ opened }, "", link(next));
}

/** Closes an image or a panel: a step back to where this page opened it, so that the back button opens it no more. */
export function close(name: "image" | "panel"): void {
  if (!address.value[name]) return;
  const opened = (history.state as { opened?: string } | null)?.opened === name;
  if (!opened) return go({ [name]: "" }, "replace");
  address.value = cleaned({ ...address.value, [name]: "" });
  history.back();
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
  return isDay(text) ? text : "";
}

function cleaned(given: Address): Address {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}
