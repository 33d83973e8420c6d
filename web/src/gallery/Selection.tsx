// What can be done with the selected images.
import { Heart, HeartOff, RotateCcw, Trash2, X } from "lucide-preact";
import { act, confirmed, working, type Action } from "../data/acts";
import { address } from "../data/address";
import { count, plural } from "../data/format";
import { images, phase } from "../data/images";
import { chosen, gathered, pickAll, pickMatching, pickNone, selecting } from "../data/selection";

export function Selection() {
  if (!selecting.value && !working.value) return null;
  const ids = [...chosen.value];
  const inTrash = address.value.status === "deleted";
  const busy = working.value !== null || gathered.value !== null;
  const run = async (action: Action) => {
    if (!confirmed(action, ids)) return;
    const failed = await act(action, ids);
    pickNone();
    chosen.value = new Set(failed);
  };
  const button = (action: Action, label: string, Icon: typeof Heart) => (
    <button type="button" class="button" aria-label={label} title={label} disabled={!ids.length || busy} onClick={() => void run(action)}>
      <Icon size={16} aria-hidden="true" /> <span>{label}</span>
    </button>
  );
  return (
    <div class="selection" role="toolbar" aria-label="Selected images">
      <b role="status">{working.value ?? <Number selected={ids.length} />}</b>
      <More selected={ids.length} busy={busy} />
      <span class="push" />
      {inTrash ? (
        button("restore", "Restore", RotateCcw)
      ) : (
        <>
          {button("favorite", "Favorite", Heart)}
          {button("unfavorite", "Unfavorite", HeartOff)}
          {button("delete", "Move to trash", Trash2)}
        </>
      )}
      <button type="button" class="icon" aria-label="Clear selection" title="Clear selection" onClick={pickNone}>
        <X size={18} />
      </button>
    </div>
  );
}

/** Selects all that is loaded, and then all that matches. */
function More({ selected, busy }: { selected: number; busy: boolean }) {
  const loaded = images.value.filter((one) => one.status !== "pending");
  const isComplete = phase.value === "end";
  if (!loaded.every((one) => chosen.value.has(one.id))) {
    const label = `Select all ${count(loaded.length)}${isComplete ? "" : " loaded"}`;
    return <button type="button" class="link" disabled={busy} onClick={pickAll}>{label}</button>;
  }
  if (isComplete || selected > loaded.length) return null;
  return (
    <button type="button" class="link" disabled={busy} onClick={() => void pickMatching()}>Select all that match</button>
  );
}

function Number({ selected }: { selected: number }) {
  if (gathered.value !== null) return <>{plural(gathered.value, "image")} found…</>;
  return <>{count(selected)}<span> {selected === 1 ? "image" : "images"} selected</span></>;
}
