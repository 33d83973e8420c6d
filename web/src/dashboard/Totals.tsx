// The figures of the days, each beside that of as many days before.
import { ArrowDown, ArrowRight, ArrowUp } from "lucide-preact";
import { count, dollars } from "../data/format";
import type { Figures, Report } from "../schema";

interface Total {
  label: string;
  of: (figures: Figures) => number | null;
  show: (value: number) => string;
  better: 1 | -1 | 0;
}

const percent = (value: number): string => value.toLocaleString(undefined, { style: "percent", maximumFractionDigits: 1 });

const TOTALS: Total[] = [
  { label: "Images", of: (one) => one.images, show: count, better: 1 },
  { label: "Kept", of: (one) => (one.images ? one.kept / one.images : null), show: percent, better: 1 },
  { label: "Favorites among them", of: (one) => one.favorite_rate, show: percent, better: 1 },
  { label: "Cost", of: (one) => one.cost_usd, show: dollars, better: 0 },
  { label: "Cost of a kept image", of: (one) => one.cost_per_kept_usd, show: dollars, better: -1 },
  { label: "Failed", of: (one) => one.failure_rate, show: percent, better: -1 },
];

export function Totals({ report }: { report: Report }) {
  return (
    <dl class="totals">
      {TOTALS.map((total) => {
        const now = total.of(report.total);
        return (
          <div key={total.label}>
            <dt>{total.label}</dt>
            <dd>{now === null ? "–" : total.show(now)}</dd>
            <dd><Change now={now} before={total.of(report.previous.total)} better={total.better} /></dd>
          </div>
        );
      })}
    </dl>
  );
}

function Change({ now, before, better }: { now: number | null; before: number | null; better: 1 | -1 | 0 }) {
  if (now === null || !before) return null;
  const part = now / before - 1;
  const Icon = Math.abs(part) < 0.005 ? ArrowRight : part > 0 ? ArrowUp : ArrowDown;
  const kind = better === 0 || Icon === ArrowRight ? "" : Math.sign(part) === better ? "good" : "bad";
  return (
    <span class={`change ${kind}`}>
      <Icon size={13} aria-hidden="true" /> {percent(Math.abs(part))}
      <span class="hidden">{part >= 0 ? "more" : "less"} than in the days before</span>
    </span>
  );
}
