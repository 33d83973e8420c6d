// Numbers, times and ratios as people read them.
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const MONTH = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const COUNT = new Intl.NumberFormat();
const SIZE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const count = (value: number): string => COUNT.format(value);
export const moment = (iso: string): string => MOMENT.format(new Date(iso));
export const month = (iso: string): string => MONTH.format(new Date(iso));

export function money(value: number | null): string {
  if (value === null) return "–";
  if (value === 0) return "free";
  return dollars(value);
}

export function dollars(value: number): string {
  const digits = value !== 0 && Math.abs(value) < 0.1 ? 3 : 2;
  return value.toLocaleString(undefined, {
    style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits,
  });
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const step = value < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(value) / 3));
  return `${SIZE.format(value / 1000 ** step)} ${units[step]}`;
}

export const seconds = (milliseconds: number): string =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${SIZE.format(milliseconds / 1000)} s`;

export const plural = (number: number, one: string, many = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`;

/** Width over height of `16:9`. */
export function ratio(text: string): number {
  const [width, height] = text.split(":").map(Number);
  return (width || 1) / (height || 1);
}
