// Bars over time, and the same in words. A bar leads to its records.
import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from "chart.js";
import { useEffect, useRef } from "preact/hooks";
import type { ReportRow } from "../schema";
import { by, recordsOf, user } from "./reports";

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, Tooltip);

export interface Series {
  label: string;
  color: string;
  of: (row: ReportRow) => number;
}

interface Props {
  label: string;
  rows: ReportRow[];
  series: Series[];
  show: (value: number) => string;
}

const FORMATS: Record<string, Intl.DateTimeFormatOptions> = {
  day: { day: "numeric", month: "short", timeZone: "UTC" },
  week: { day: "numeric", month: "short", timeZone: "UTC" },
  month: { month: "short", year: "2-digit", timeZone: "UTC" },
};

export function Trend({ label, rows, series, show }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => drawn(canvas.current!, rows, series, show);
    let chart = draw();
    const again = () => {
      chart.destroy();
      chart = draw();
    };
    const dark = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("theme", again);
    dark.addEventListener("change", again);
    return () => {
      removeEventListener("theme", again);
      dark.removeEventListener("change", again);
      chart.destroy();
    };
  }, [rows, series]);
  const total = (one: Series) => rows.reduce((sum, row) => sum + one.of(row), 0);
  const words = `${label} by ${by.value}: ${series.map((one) => `${one.label} ${show(total(one))}`).join(", ")}`;
  const day = new Intl.DateTimeFormat(undefined, FORMATS[by.value]);
  return (
    <>
      <div class="trend">
        <canvas ref={canvas} role="img" aria-label={words} />
      </div>
      <details class="figures">
        <summary>By {by.value}, in UTC</summary>
        <ul>
          {rows.map((row, at) => {
            const link = toPeriod(rows, at);
            const name = day.format(new Date(row.period!));
            if (!row.records) return null;
            return (
              <li key={row.period}>
                {link ? <a href={link}>{name}</a> : name}
                <span>{series.map((one) => `${one.label} ${show(one.of(row))}`).join(", ")}</span>
              </li>
            );
          })}
        </ul>
      </details>
    </>
  );
}

const toPeriod = (rows: ReportRow[], at: number): string | null =>
  recordsOf({}, rows[at]?.period ?? undefined, rows[at + 1]?.period ?? undefined);

function drawn(canvas: HTMLCanvasElement, rows: ReportRow[], series: Series[], show: (value: number) => string): Chart {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const day = new Intl.DateTimeFormat(undefined, FORMATS[by.value]);
  Chart.defaults.font = { family: "Geist, system-ui, sans-serif", size: 12 };
  Chart.defaults.color = color("--muted");
  return new Chart(canvas, {
    type: "bar",
    data: {
      labels: rows.map((row) => day.format(new Date(row.period!))),
      datasets: series.map((one) => ({
        label: one.label,
        data: rows.map(one.of),
        backgroundColor: color(one.color),
        borderRadius: 3,
        maxBarThickness: 34,
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (_event, hit) => {
        const link = hit[0] && toPeriod(rows, hit[0].index);
        if (link) location.assign(link);
      },
      onHover: (_event, hit) => {
        canvas.style.cursor = hit.length && !user.value ? "pointer" : "default";
      },
      plugins: {
        legend: { display: series.length > 1, align: "start", labels: { boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 3 } },
        tooltip: { callbacks: { label: (at) => `${at.dataset.label}: ${show(Number(at.raw))}` } },
      },
      scales: {
        x: { stacked: true, grid: { display: false }, border: { color: color("--line") }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
        y: {
          stacked: true,
          beginAtZero: true,
          border: { display: false },
          grid: { color: color("--line") },
          ticks: { maxTicksLimit: 6, callback: (value) => show(Number(value)) },
        },
      },
    },
  });
}
