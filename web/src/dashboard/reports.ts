// The reports of the days that are looked at, and the words for them.
import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import type { Report } from "../schema";
import { call, complain, get, search, words } from "../data/api";
import { save } from "../data/saving";
import { caller, onCallerChange } from "../data/session";

export type Name = "volume" | "users" | "datasets" | "visual-elements" | "prompts" | "settings" | "models" | "failures";
export type Params = Record<string, string | number>;
export type By = "day" | "week" | "month";

export const RANGES = [
  { days: 7, label: "7 days", by: "day" },
  { days: 30, label: "30 days", by: "day" },
  { days: 90, label: "90 days", by: "week" },
  { days: 365, label: "12 months", by: "month" },
] as const;

const DAY = 86_400_000;

export const days = signal<number>(30);
export const user = signal("");
read();

function read(): void {
  const asked = new URLSearchParams(location.search);
  batch(() => {
    days.value = RANGES.find((one) => one.days === Number(asked.get("days")))?.days ?? 30;
    user.value = asked.get("user_id") ?? "";
  });
}
export const by = computed<By>(() => RANGES.find((one) => one.days === days.value)!.by);

/** Whole days of UTC, today among them; the last one is not included. */
export const range = computed(() => {
  const end = Math.floor(Date.now() / DAY + 1) * DAY;
  return { from: iso(end - days.value * DAY), to: iso(end) };
});

export const iso = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** This page, with the days that are looked at, for a user. */
export const pageOf = (id: string): string => location.pathname + search({ days: days.value === 30 ? null : days.value, user_id: id });

/** Keeps the choice in the address, where Back and Forward find it. */
export function follow(): void {
  addEventListener("popstate", read);
  onCallerChange((hasLeft) => {
    if (hasLeft) user.value = "";
  });
  history.replaceState(null, "", pageOf(user.value));
  effect(() => {
    const next = pageOf(user.value);
    if (next !== location.pathname + location.search) history.pushState(null, "", next);
  });
}

export interface Held {
  report: Report | null;
  fault: string;
}

/** One report, loaded again whenever the choice or the caller changes. */
export function reportOf(name: Name, more: () => Params): Signal<Held> {
  const held = signal<Held>({ report: null, fault: "" });
  let who = caller.peek();
  effect(() => {
    if (caller.value !== who) held.value = { report: null, fault: "" };
    who = caller.value;
    const stop = new AbortController();
    get<Report>(path(name), query(more()), stop.signal).then(
      (report) => (held.value = { report, fault: "" }),
      (error: unknown) => stop.signal.aborted || (held.value = { report: null, fault: words(error) }),
    );
    return () => stop.abort();
  });
  return held;
}

/** Saves a report as the file that the API makes of it. */
export async function download(name: Name, more: Params): Promise<void> {
  try {
    const asked = { ...query(more), format: "csv" };
    const { body: file } = await call<Blob>("GET", path(name), { query: asked, as: "blob" });
    save(file, `${name}-${range.value.from}-${range.value.to}.csv`);
  } catch (error) {
    complain(error);
  }
}

const path = (name: Name): string => `/ai/analytics/${name}`;
const query = (more: Params) => ({ ...range.value, user_id: user.value, ...more });

/** The gallery, listing the records of some days of UTC, `end` not included; null while the figures are another user's, for
 * the gallery lists one's own. */
export function recordsOf(filter: Params = {}, from = range.value.from, end = range.value.to): string | null {
  if (user.value) return null;
  return `/${search({ from: `${from}Z`, to: `${iso(Date.parse(end) - DAY)}Z`, status: "all", ...filter })}`;
}

/** The search for a text in a field; null where it would find the records of some `others`, too. */
export function exactly(field: "model" | "style", text: string, others: (string | null | undefined)[]): string | null {
  const flat = (name: string) => ` ${name.toLowerCase().split(/[^\p{L}\p{N}]+/u).join(" ").trim()} `;
  const within = others.some((one) => one && one !== text && flat(one).includes(flat(text)));
  return within ? null : `${field}:${quoted(text)}`;
}

export const quoted = (text: string): string => `"${text.replaceAll('"', " ")}"`;
