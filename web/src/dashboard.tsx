// The dashboard: what was made, with what, for how much, and what works.
import { render } from "preact";
import { count, dollars, moment, plural, seconds } from "./data/format";
import { follow as followDraft } from "./data/draft";
import { follow as followSession, session } from "./data/session";
import { datasetOf, follow as followShelves } from "./data/shelves";
import { Bars, funnel, type Bar } from "./dashboard/Bars";
import { Card } from "./dashboard/Card";
import { by, days, exactly, follow, pageOf, quoted, RANGES, recordsOf, reportOf, user, type Name } from "./dashboard/reports";
import { Totals } from "./dashboard/Totals";
import { Trend, type Series } from "./dashboard/Trend";
import type { ReportRow } from "./schema";
import { Header } from "./ui/Header";
import { Toasts } from "./ui/Toasts";

const STATUSES: Series[] = [
  { label: "Succeeded", color: "--series-1", of: (row) => row.images },
  { label: "Failed", color: "--series-2", of: (row) => row.failed },
  { label: "Blocked", color: "--series-3", of: (row) => row.blocked },
];
const COST: Series[] = [{ label: "Cost", color: "--series-4", of: (row) => row.cost_usd }];

const volume = reportOf("volume", () => ({ by: by.value }));

function Dashboard() {
  const query = { by: by.value };
  return (
    <>
      <a class="skip" href="#reports">To the reports</a>
      <Header here="dashboard" />
      <main>
        <div class="top">
          <h1>{user.value ? `What ${user.value} made` : "What was made"}</h1>
          <Choice />
        </div>
        <div id="reports" class="cards" tabIndex={-1}>
          <Card title="At a glance" name="volume" query={query} held={volume.value} wide>
            {(report) => (
              <>
                <Totals report={report} />
                <p class="note">
                  Days are in UTC, from midnight to midnight, not in your time zone. Compared with the {days.value} days
                  before{report.as_of && `, counted ${moment(report.as_of)}`}.
                </p>
              </>
            )}
          </Card>
          <Card title="Images" name="volume" query={query} held={volume.value} wide>
            {(report) => <Trend label="Images" rows={report.rows} series={STATUSES} show={count} />}
          </Card>
          <Card title="Cost" name="volume" query={query} held={volume.value}>
            {(report) => <Trend label="Cost" rows={report.rows} series={COST} show={dollars} />}
          </Card>
          <Card title="From request to favorite" name="volume" query={query} held={volume.value}>
            {({ total }) => (
              <Bars
                bars={funnel(total).map((step) => ({
                  key: step.label,
                  label: step.label,
                  value: step.value,
                  link: step.only && recordsOf(step.only),
                  more: percent(step.value / total.records),
                }))}
              />
            )}
          </Card>
          <Top title="Models" name="models" label={(row) => row.model} link={toModel} more={speed} />
          <Top title="Cost by model" name="models" label={(row) => row.model} link={toModel} sort="cost_usd" show={dollars} />
          {session.value?.admin && !user.value && <Users />}
          <Top title="Datasets" name="datasets" label={nameOf} link={toDataset} more={liked} />
          <Top title="Visual elements" name="visual-elements" label={(row) => row.element} more={liked} />
          <Top title="Words in prompts" name="prompts" label={(row) => row.term} link={toWord} more={liked} />
          <Top title="Settings" name="settings" label={setting} link={toStyle} more={liked} />
          <Top title="Why generations fail" name="failures" label={fault} link={toBlocked} />
        </div>
      </main>
      <Toasts />
    </>
  );
}

function Choice() {
  return (
    <div class="choice" role="group" aria-label="Days">
      {user.value && (
        <button type="button" class="chip on" onClick={() => (user.value = "")}>All users</button>
      )}
      <div class="shelves">
        {RANGES.map((one) => (
          <button key={one.days} type="button" aria-pressed={one.days === days.value} onClick={() => (days.value = one.days)}>
            {one.label}
          </button>
        ))}
      </div>
    </div>
  );
}

interface TopProps {
  title: string;
  name: Name;
  label: (row: ReportRow) => string | null | undefined;
  /** What there is most of comes first. */
  sort?: "records" | "cost_usd";
  show?: (value: number) => string;
  more?: (row: ReportRow) => string;
  /** Where a row of the rows leads; null where nothing lists just its records. */
  link?: (row: ReportRow, rows: ReportRow[]) => string | null;
}

const held = new Map<string, ReturnType<typeof reportOf>>();

function Top({ title, name, label, sort = "records", show = count, more = () => "", link = () => null }: TopProps) {
  const query = { limit: 8, sort };
  const key = `${name} ${sort}`;
  if (!held.has(key)) held.set(key, reportOf(name, () => query));
  return (
    <Card title={title} name={name} query={query} held={held.get(key)!.value}>
      {(report) => {
        const bars: Bar[] = report.rows.map((row, at) => ({
          key: String(at), label: label(row) || "none", value: row[sort], link: link(row, report.rows), more: more(row),
        }));
        return (
          <>
            <Bars bars={bars} show={show} />
            {report.rows_left_out > 0 && <p class="note">and {plural(report.rows_left_out, "other")}</p>}
          </>
        );
      }}
    </Card>
  );
}

function Users() {
  const label = (row: ReportRow) => row.user_id ?? "without an account";
  const link = (row: ReportRow) => (row.user_id ? pageOf(row.user_id) : null);
  return (
    <>
      <Top title="Users" name="users" label={label} link={link} more={liked} />
      <Top title="Cost by user" name="users" label={label} link={link} sort="cost_usd" show={dollars} />
    </>
  );
}

const percent = (value: number): string => value.toLocaleString(undefined, { style: "percent", maximumFractionDigits: 0 });

const fault = (row: ReportRow): string => `${row.code?.replaceAll("_", " ")} · ${row.model ?? "no model"}`;

const setting = (row: ReportRow) => row.value && `${row.setting?.replaceAll("_", " ")} ${row.value}`;

const nameOf = ({ dataset_id = null }: ReportRow) => datasetOf(dataset_id)?.name ?? dataset_id;

const toDataset = ({ dataset_id }: ReportRow) => (dataset_id ? recordsOf({ dataset_id }) : null);

const toWord = ({ term }: ReportRow) => (term ? recordsOf({ q: quoted(term) }) : null);

function toModel({ model }: ReportRow, rows: ReportRow[], only = {}): string | null {
  const q = model ? exactly("model", model, rows.map((one) => one.model)) : null;
  return q && recordsOf({ q, ...only });
}

function toStyle({ setting, value }: ReportRow, rows: ReportRow[]): string | null {
  const styles = rows.map((one) => (one.setting === "style" ? one.value : null));
  const q = setting === "style" && value ? exactly("style", value, styles) : null;
  return q && recordsOf({ q });
}

/** Only of what was blocked is there one kind: a list cannot tell failures apart. */
const toBlocked = (row: ReportRow, rows: ReportRow[]) =>
  row.code === "content_blocked" ? toModel(row, rows, { status: "blocked" }) : null;

const liked = (row: ReportRow): string => (row.favorite_rate === null ? "" : `${percent(row.favorite_rate)} favorites`);

function speed(row: ReportRow): string {
  const told = [
    row.latency_ms?.p50 != null && `half within ${seconds(row.latency_ms.p50)}`,
    row.failure_rate ? `${percent(row.failure_rate)} fail` : "",
  ];
  return told.filter(Boolean).join(", ");
}

followSession();
followDraft();
followShelves();
follow();
render(<Dashboard />, document.body);
