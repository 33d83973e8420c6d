// A list of what there is most of: each row a bar, and a link to its records.
import { count } from "../data/format";
import type { ReportRow } from "../schema";

export interface Bar {
  key: string;
  label: string;
  value: number;
  link: string | null;
  more: string;
}

interface Props {
  bars: Bar[];
  show?: (value: number) => string;
}

export function Bars({ bars, show = count }: Props) {
  const most = Math.max(...bars.map((one) => one.value), 1e-9);
  return (
    <ol class="bars">
      {bars.map((bar) => (
        <li key={bar.key}>
          <span class="fill" style={{ width: `${(bar.value / most) * 100}%` }} />
          {bar.link ? <a href={bar.link}>{bar.label}</a> : <span class="name">{bar.label}</span>}
          <span class="more">{bar.more}</span>
          <b>{show(bar.value)}</b>
        </li>
      ))}
    </ol>
  );
}

/** The steps that records go through, each a part of the first, and what lists them: nothing lists both the kept and the trash. */
export function funnel(total: ReportRow | Pick<ReportRow, "records" | "images" | "kept" | "favorites" | "failed" | "blocked" | "pending">) {
  return [
    { label: "Asked for", value: total.records, only: {} },
    { label: "Succeeded", value: total.images, only: null },
    { label: "Kept", value: total.kept, only: { status: "succeeded" } },
    { label: "Favorites", value: total.favorites, only: { status: "succeeded", favorite: "true" } },
    { label: "Failed", value: total.failed, only: { status: "failed" } },
    { label: "Blocked", value: total.blocked, only: { status: "blocked" } },
    { label: "Under way", value: total.pending, only: { status: "pending" } },
  ];
}
