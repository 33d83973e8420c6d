// The reports of the days that are looked at, and the words for them.
import { computed, effect, signal, type Signal } from "@preact/signals";
import type { Report, ReportRow } from "../schema";
import { call, get, search, words } from "../data/api";
import { save } from "../data/saving";
import { session } from "../data/session";
import { tell } from "../data/toasts";

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

const asked = new URLSearchParams(location.search);
export const days = signal(RANGES.find((one) => one.days === Number(asked.get("days")))?.days ?? 30);
export const user = signal(asked.get("user_id") ?? "");
export const by = computed<By>(() => RANGES.find((one) => one.days === days.value)!.by);

/** Whole days of UTC, today among them; the last one is not included. */
export const range = computed(() => {
  const end = Math.floor(Date.now() / DAY + 1) * DAY;
  return { from: iso(end - days.value * DAY), to: iso(end) };
});

export const iso = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** Keeps the choice in the address. */
export function follow(): void {
  effect(() => {
    const kept = search({ days: days.value === 30 ? null : days.value, user_id: user.value });
    history.replaceState(null, "", location.pathname + kept);
  });
}

export interface Held {
  report: Report | null;
  fault: string;
}

/** One report, asked anew whenever the choice or the caller changes. */
export function reportOf(name: Name, more: () => Params): Signal<Held> {
  const held = signal<Held>({ report: null, fault: "" });
  effect(() => {
    void session.value?.token;
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
    tell(words(error), { bad: true });
  }
}

const path = (name: Name): string => `/ai/analytics/${name}`;
const query = (more: Params) => ({ ...range.value, user_id: user.value, ...more });

/** The gallery, showing what a row was counted from; `end` is the day after its last. */
export function recordsOf(row: Partial<ReportRow>, more: Record<string, string> = {}, end = range.value.to): string {
  const quoted = (text: string) => `"${text.replaceAll('"', " ")}"`;
  const words = row.model
    ? `model:${quoted(row.model)}`
    : row.setting === "style" && row.value
      ? `style:${quoted(row.value)}`
      : row.element
        ? quoted(row.element)
        : row.term;
  const within = { from: row.period ?? range.value.from, to: iso(Date.parse(end) - DAY) };
  return `/${search({ ...within, q: words, dataset_id: row.dataset_id, ...more })}`;
}
