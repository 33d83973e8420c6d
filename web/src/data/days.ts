// Days as the viewer has them: from one midnight of their zone to the next, be that 23, 24 or 25 hours.

/** A day in an address: `2026-11-27` is the viewer's, `2026-11-27Z` that of UTC. */
const DAY = /^(?!9999)[1-9]\d{3}-\d\d-\d\d(?=Z?$)/;

const NAME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export const isUtc = (day: string): boolean => day.endsWith("Z");

export function isDay(text: string): boolean {
  const date = new Date(`${DAY.exec(text)?.[0]}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === text.slice(0, 10);
}

/** The instant at which a day begins, or the one `later` days after it. */
export function start(day: string, later = 0): string {
  const [year, month, date] = day.slice(0, 10).split("-").map(Number) as [number, number, number];
  const instant = new Date(0);
  if (isUtc(day)) {
    instant.setUTCFullYear(year, month - 1, date + later);
  } else {
    instant.setFullYear(year, month - 1, date + later);
    instant.setHours(0, 0, 0, 0);
  }
  return instant.toISOString();
}

/** The viewer's day of an instant. */
export function dayOf(instant: Date): string {
  const [year, month, date] = [instant.getFullYear(), instant.getMonth() + 1, instant.getDate()];
  return [String(year).padStart(4, "0"), ...[month, date].map((part) => String(part).padStart(2, "0"))].join("-");
}

export const dayName = (day: string): string =>
  NAME.format(new Date(`${day.slice(0, 10)}T00:00:00Z`)) + (isUtc(day) ? " (UTC)" : "");
