// The editor of datasets: what the images of a brand have in common.
import { Plus, Trash2 } from "lucide-preact";
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { close } from "../data/address";
import { complain, Problem, words } from "../data/api";
import { fieldsOf, load, rebased, remove, save, type Fields } from "../data/datasets";
import { mayPublish, session } from "../data/session";
import { arrived, datasets } from "../data/shelves";
import { tell } from "../data/toasts";
import type { Dataset } from "../schema";
import { Dialog } from "../ui/Dialog";
import { References } from "./References";

/** Whether the form says other than what is stored. */
const unsaved = signal(false);

const mayLeave = (): boolean => !unsaved.value || confirm("You have changes that are not saved. Leave without them?");

export function Datasets() {
  const leave = () => {
    if (mayLeave()) close("panel");
  };
  return (
    <Dialog label="Datasets" kind="medium datasets" onClose={leave}>
      {arrived.value ? <Shelf /> : <p class="editor" role="status">Loading…</p>}
    </Dialog>
  );
}

function Shelf() {
  const [id, setId] = useState<string | null>(datasets.value[0]?.id ?? null);
  const choose = (next: string | null) => {
    if (next !== id && mayLeave()) setId(next);
  };
  return (
    <>
      <nav aria-label="Datasets">
        <h2>Datasets</h2>
        <ul>
          {datasets.value.map((one) => (
            <li key={one.id}>
              <button type="button" aria-current={one.id === id ? "true" : undefined} onClick={() => choose(one.id)}>
                {one.name}
                {one.visibility === "public" && <small>public</small>}
              </button>
            </li>
          ))}
        </ul>
        <button type="button" class="button wide" onClick={() => choose(null)}>
          <Plus size={16} /> New dataset
        </button>
      </nav>
      {id ? <Stored key={id} id={id} onSaved={setId} /> : <Editor stored={null} onSaved={setId} />}
    </>
  );
}

function Stored({ id, onSaved }: { id: string; onSaved: (id: string | null) => void }) {
  const [dataset, setDataset] = useState<Dataset | null>(null);
  const [fault, setFault] = useState("");
  const ask = () => {
    setFault("");
    load(id).then(setDataset, (error) => setFault(words(error)));
  };
  useEffect(ask, [id]);
  if (dataset) return <Editor stored={dataset} onSaved={onSaved} />;
  if (!fault) return <p class="editor" role="status">Loading…</p>;
  return (
    <div class="editor" role="alert">
      <p class="fault">{fault}</p>
      <p><button type="button" class="button" onClick={ask}>Try again</button></p>
    </div>
  );
}

interface Held {
  dataset: Dataset | null;
  fields: Fields;
}

const heldAs = (dataset: Dataset | null): Held => ({ dataset, fields: fieldsOf(dataset) });

function Editor({ stored, onSaved }: { stored: Dataset | null; onSaved: (id: string | null) => void }) {
  const [held, setHeld] = useState<Held>(heldAs(stored));
  const [fault, setFault] = useState<Error | null>(null);
  const { dataset, fields } = held;
  const signedIn = session.value !== null;
  const isConflict = fault instanceof Problem && fault.status === 412;
  const isChanged = JSON.stringify(fields) !== JSON.stringify(fieldsOf(dataset));
  useLayoutEffect(() => {
    unsaved.value = isChanged;
    return () => (unsaved.value = false);
  }, [isChanged]);
  const change = (changes: Partial<Fields>) => setHeld((now) => ({ ...now, fields: { ...now.fields, ...changes } }));
  const follow = (next: Dataset) =>
    setHeld((now) => ({ dataset: next, fields: rebased(now.fields, now.dataset, next) }));
  const store = async (over: Dataset | null) => {
    if (!over && !mayPublish("dataset")) return;
    setFault(null);
    try {
      const saved = await save(fields, over, signedIn);
      tell(`${saved.name} is saved, version ${saved.version}.`);
      if (over) {
        const next = { ...saved, reference_images: over.reference_images };
        setHeld((now) => (now.fields === fields ? heldAs(next) : { ...now, dataset: next }));
      } else {
        onSaved(saved.id);
      }
    } catch (error) {
      setFault(error as Error);
    }
  };
  /** What to do with the dataset as somebody else has left it. */
  const settle = (take: (theirs: Dataset) => unknown) => {
    setFault(null);
    if (dataset) load(dataset.id).then(take, setFault);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void store(dataset);
  };
  const drop = async () => {
    if (!dataset || !confirm(`Delete ${dataset.name}? Its images stay, and keep what they were made with.`)) return;
    try {
      const forgotten = remove(dataset);
      tell(`${dataset.name} is being deleted.`);
      onSaved(null);
      await forgotten;
      tell(`${dataset.name} is deleted.`);
    } catch (error) {
      complain(error);
    }
  };
  const about = (field: string) =>
    fault instanceof Problem && fault.errors.filter((one) => one.field.split(".")[0] === field).map((one) => (
      <p key={one.field} class="fault">{one.message}</p>
    ));
  return (
    <form class="editor" aria-label="Dataset" onSubmit={submit}>
      <label class="field">
        <span>Name</span>
        <input required maxLength={200} value={fields.name} onInput={(event) => change({ name: event.currentTarget.value })} />
        {about("name")}
      </label>
      <div class="pair">
        <label class="field">
          <span>Brand</span>
          <input maxLength={200} value={fields.brand} onInput={(event) => change({ brand: event.currentTarget.value })} />
          {about("brand")}
        </label>
        <label class="field">
          <span>Vibe</span>
          <input maxLength={500} value={fields.vibe} onInput={(event) => change({ vibe: event.currentTarget.value })} />
          {about("vibe")}
        </label>
      </div>
      <label class="field">
        <span>Unique visual elements, one to a line{source(dataset)}</span>
        <textarea
          rows={5}
          placeholder={"wooden tables\npendant lights"}
          value={fields.elements}
          onInput={(event) => change({ elements: event.currentTarget.value })}
        />
        {about("unique_visual_elements")}
      </label>
      {signedIn && (
        <label class="check">
          <input type="checkbox" checked={fields.isPublic} onChange={(event) => change({ isPublic: event.currentTarget.checked })} />
          <span>Public: everybody may use it</span>
        </label>
      )}
      {dataset && <References dataset={dataset} onChange={follow} onError={setFault} />}
      {fault && (
        <div class="told" role="alert">
          <p class="fault">{isConflict ? "Somebody else has changed this dataset meanwhile." : words(fault)}</p>
          {isConflict && (
            <p class="row">
              <button type="button" class="button" onClick={() => settle((theirs) => setHeld(heldAs(theirs)))}>Show theirs</button>
              <button type="button" class="button" onClick={() => settle(store)}>Keep mine</button>
            </p>
          )}
        </div>
      )}
      <div class="row">
        {dataset && (
          <button type="button" class="button danger" onClick={() => void drop()}>
            <Trash2 size={16} /> Delete
          </button>
        )}
        {dataset && <span class="note">Version {dataset.version}</span>}
        <span class="push" />
        <button type="submit" class="button primary">{dataset ? "Save" : "Create"}</button>
      </div>
    </form>
  );
}

function source(dataset: Dataset | null): string {
  if (dataset?.visual_elements_source === "extracted") return " (seen by the vision model)";
  return dataset?.visual_elements_source === "edited" ? " (seen by the vision model, then edited)" : "";
}
