// What can be done with the chosen images, or with everything that is listed.
import { Heart, HeartOff, RotateCcw, Trash2, X } from "lucide-preact";
import { act, actOnAll, working, type Action } from "../data/acts";
import { address } from "../data/address";
import { count } from "../data/format";
import { images, phase } from "../data/images";
import { chosen, pickAll, pickNone, selecting } from "../data/selection";

export function Selection() {
  if (!selecting.value && !working.value) return null;
  const ids = [...chosen.value];
  const { status, q } = address.value;
  const inTrash = status === "deleted";
  const loaded = images.value.every((one) => one.status === "pending" || chosen.value.has(one.id));
  const everything = ids.length > 0 && loaded && phase.value !== "end" && !q;
  const run = (action: Action) => {
    if (everything && !confirm("Do this to everything that is listed, also to what is not loaded yet?")) return;
    const done: Promise<unknown> = everything ? actOnAll(action) : act(action, ids);
    void done.then(pickNone);
  };
  const button = (action: Action, label: string, Icon: typeof Heart) => (
    <button type="button" class="button" aria-label={label} disabled={!ids.length || working.value !== null} onClick={() => run(action)}>
      <Icon size={16} aria-hidden="true" /> <span>{label}</span>
    </button>
  );
  return (
    <div class="selection" role="toolbar" aria-label="Selected images">
      <b role="status">{working.value ?? <>{count(ids.length)}<span> {ids.length === 1 ? "image" : "images"} selected</span></>}</b>
      <button type="button" class="link" onClick={pickAll}>All</button>
      <span class="push" />
      {inTrash ? (
        button("restore", "Bring back", RotateCcw)
      ) : (
        <>
          {button("favorite", "Favourite", Heart)}
          {button("unfavorite", "Unmark", HeartOff)}
          {button("delete", "Throw away", Trash2)}
        </>
      )}
      <button
        type="button"
        class="icon"
        aria-label="Give up the selection"
        onClick={pickNone}
      >
        <X size={18} />
      </button>
    </div>
  );
}
