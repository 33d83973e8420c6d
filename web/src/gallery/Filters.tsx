// Which images are listed.
import { Calendar, CheckSquare, Database, Heart, Images, Trash2, X } from "lucide-preact";
import { address, go, isPlain, link, type Address } from "../data/address";
import { dayName, dayOf, isUtc } from "../data/days";
import { datasetOf, datasets } from "../data/shelves";
import { selecting, touching } from "../data/selection";
import { Export } from "./Export";

const STATUSES = [
  ["", "Succeeded"],
  ["all", "All"],
  ["pending", "Under way"],
  ["failed", "Failed"],
  ["blocked", "Blocked"],
] as const;

const SHELVES = [
  { label: "All", icon: Images, to: { favorite: "", status: "" } },
  { label: "Favorites", icon: Heart, to: { favorite: "true", status: "" } },
  { label: "Trash", icon: Trash2, to: { favorite: "", status: "deleted", q: "" } },
];

export function Filters() {
  const at = address.value;
  const shelf = at.favorite ? "Favorites" : at.status === "deleted" ? "Trash" : "All";
  return (
    <div class="filters" role="group" aria-label="Filters">
      <nav class="shelves" aria-label="Shelves">
        {SHELVES.map(({ label, icon: Icon, to }) => (
          <Shelf key={label} to={to} here={label === shelf}>
            <Icon size={14} aria-hidden="true" /> {label}
          </Shelf>
        ))}
      </nav>
      {shelf === "All" && (
        <label class={at.status ? "chip on" : "chip"}>
          <span class="hidden">Status</span>
          <select value={at.status ?? ""} onChange={(event) => go({ status: event.currentTarget.value })}>
            {STATUSES.map(([value, label]) => <option key={value} value={value}>{label}</option>)}
          </select>
        </label>
      )}
      <label class={at.dataset_id ? "chip on" : "chip"}>
        <span class="hidden">Of the dataset</span>
        <select value={at.dataset_id ?? ""} onChange={(event) => go({ dataset_id: event.currentTarget.value })}>
          <option value="">Any dataset</option>
          {datasets.value.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
          {at.dataset_id && !datasetOf(at.dataset_id) && <option value={at.dataset_id}>Another dataset</option>}
        </select>
      </label>
      <label class={at.to ? "chip on" : "chip"} title="Jump to a date">
        <Calendar size={14} aria-hidden="true" />
        <span>{at.to ? `Until${isUtc(at.to) ? " (UTC)" : ""}` : "Jump to"}</span>
        <input
          type="date"
          value={inputOf(at.to)}
          min="2000-01-01"
          max={dayOf(new Date())}
          aria-label="Jump to a date"
          onChange={(event) => jump(event.currentTarget)}
          onBlur={(event) => (event.currentTarget.value = inputOf(at.to))}
        />
      </label>
      {at.from && (
        <button type="button" class="chip on" onClick={() => go({ from: "" })}>
          From {dayName(at.from)} <X size={14} aria-label="Remove" />
        </button>
      )}
      {at.to && (
        <button type="button" class="chip" onClick={() => go({ to: "" })}>
          Back to today
        </button>
      )}
      <span class="push" />
      {at.q ? (
        <label class="chip">
          <span class="hidden">Order</span>
          <select value={at.sort ?? ""} onChange={(event) => go({ sort: event.currentTarget.value })}>
            <option value="">Best first</option>
            <option value="time">Newest first</option>
          </select>
        </label>
      ) : (
        <Export />
      )}
      {!selecting.value && (
        <button type="button" class="chip" onClick={() => (touching.value = true)}>
          <CheckSquare size={14} aria-hidden="true" /> Select
        </button>
      )}
      <button type="button" class="chip" onClick={() => go({ panel: "datasets" })}>
        <Database size={14} aria-hidden="true" /> Datasets
      </button>
    </div>
  );
}

const inputOf = (day = ""): string => day.slice(0, 10);

/** Every digit that is typed is a change; those of a year that is not complete are before the first date allowed. */
function jump({ value, validity }: HTMLInputElement): void {
  const { from, to } = address.value;
  if (!validity.valid || value === inputOf(to)) return;
  go({ to: value, ...(value && from && value < inputOf(from) && { from: "" }) }, to ? "replace" : "push");
}

function Shelf({ to, here, children }: { to: Address; here: boolean; children: preact.ComponentChildren }) {
  const open = (event: MouseEvent) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={link({ ...address.value, ...to })} aria-current={here ? "true" : undefined} onClick={open}>
      {children}
    </a>
  );
}
