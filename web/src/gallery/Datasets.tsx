// The editor of datasets: what the images of a brand have in common.
import { Plus, Trash2 } from "lucide-preact";
import { useEffect, useState } from "preact/hooks";
import { close } from "../data/address";
import { Problem, words } from "../data/api";
import { fieldsOf, load, remove, save, type Fields } from "../data/datasets";
import { session } from "../data/session";
import { datasets } from "../data/shelves";
import { tell } from "../data/toasts";
import type { Dataset } from "../schema";
import { Dialog } from "../ui/Dialog";
import { References } from "./References";

export function Datasets() {
  const [id, setId] = useState<string | null>(datasets.value[0]?.id ?? null);
  return (
    <Dialog label="Datasets" kind="medium datasets" onClose={() => close("panel")}>
      <nav aria-label="Datasets">
        <h2>Datasets</h2>
        <ul>
          {datasets.value.map((one) => (
            <li key={one.id}>
              <button type="button" aria-current={one.id === id ? "true" : undefined} onClick={() => setId(one.id)}>
                {one.name}
                {one.visibility === "public" && <small>public</small>}
              </button>
            </li>
          ))}
        </ul>
        <button type="button" class="button wide" onClick={() => setId(null)}>
          <Plus size={16} /> New dataset
        </button>
      </nav>
      <Editor key={id ?? "new"} id={id} onSaved={setId} />
    </Dialog>
  );
}

function Editor({ id, onSaved }: { id: string | null; onSaved: (id: string | null) => void }) {
  const [dataset, setDataset] = useState<Dataset | null>(null);
  const [fields, setFields] = useState<Fields>(fieldsOf(null));
  const [fault, setFault] = useState<Error | null>(null);
  const signedIn = session.value !== null;
  const take = (next: Dataset) => {
    setDataset(next);
    setFields(fieldsOf(next));
  };
  useEffect(() => {
    if (id) load(id).then(take, setFault);
  }, [id]);
  const change = (changes: Partial<Fields>) => setFields({ ...fields, ...changes });
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFault(null);
    try {
      const saved = await save(fields, dataset, signedIn);
      tell(`${saved.name} is saved, version ${saved.version}.`);
      if (dataset) setDataset({ ...saved, reference_images: dataset.reference_images });
      else onSaved(saved.id);
    } catch (error) {
      setFault(error as Error);
    }
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
      tell(words(error), { bad: true });
    }
  };
  const about = (field: string) =>
    fault instanceof Problem && fault.errors.filter((one) => one.field.split(".")[0] === field).map((one) => (
      <p key={one.field} class="fault">{one.message}</p>
    ));
  return (
    <form class="editor" aria-label="Dataset" onSubmit={(event) => void submit(event)}>
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
      {dataset && <References dataset={dataset} onChange={take} onError={setFault} />}
      {fault && <p class="fault" role="alert">{words(fault)}</p>}
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
