// Bars over time. A bar leads to its records.
import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from "chart.js";
import { useEffect, useRef } from "preact/hooks";
import type { ReportRow } from "../schema";
import { by, recordsOf } from "./reports";

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
  return (
    <div class="trend">
      <canvas ref={canvas} role="img" aria-label={words} />
    </div>
  );
}

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
        const at = hit[0]?.index ?? -1;
        const row = rows[at];
        if (row) location.assign(recordsOf(row, { status: "all" }, rows[at + 1]?.period ?? undefined));
      },
      onHover: (_event, hit) => {
        canvas.style.cursor = hit.length ? "pointer" : "default";
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
