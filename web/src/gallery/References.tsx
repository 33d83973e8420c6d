// The reference images of a dataset: dropped here, judged on arrival, shown with what became of them.
import { CircleAlert, Sparkles, Upload as Up, X } from "lucide-preact";
import { useEffect, useState } from "preact/hooks";
import { dismiss, load, removeReference, suggest, TYPES, upload, uploads } from "../data/datasets";
import type { Dataset } from "../schema";

interface Props {
  dataset: Dataset;
  onChange: (dataset: Dataset) => void;
  onError: (error: Error) => void;
}

export function References({ dataset, onChange, onError }: Props) {
  const [over, setOver] = useState(false);
  useEffect(() => () => uploads.value.forEach((one) => dismiss(one.key)), []);
  const add = async (files: Iterable<File>) => {
    await Promise.all([...files].map((file) => upload(dataset, file)));
    await load(dataset.id).then(onChange, onError);
  };
  const attempt = (work: Promise<Dataset>) => void work.then(onChange, onError);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void add(event.dataTransfer?.files ?? []);
  };
  const shown = dataset.reference_images.filter((one) => one.status !== "awaiting");
  return (
    <fieldset
      class={over ? "references over" : "references"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <legend>Reference images</legend>
      <ul>
        {shown.map((one) => (
          <li key={one.id} class={one.status}>
            {one.thumbnail_url ? <img src={one.thumbnail_url} alt={one.file_name ?? "A reference"} /> : <CircleAlert size={20} />}
            {one.reason && <p role="alert">{one.file_name ? `${one.file_name}: ` : ""}{one.reason}</p>}
            <button
              type="button"
              class="icon small"
              aria-label={`Remove ${one.file_name ?? "the reference"}`}
              onClick={() => attempt(removeReference(dataset, one))}
            >
              <X size={14} />
            </button>
          </li>
        ))}
        {uploads.value.map((one) => (
          <li key={one.key} class={one.fault ? "refused" : "under-way"}>
            {!one.fault && <img src={one.preview} alt="" />}
            {one.fault ? (
              <>
                <CircleAlert size={20} />
                <p role="alert">{one.name}: {one.fault}</p>
                <button type="button" class="icon small" aria-label={`Dismiss ${one.name}`} onClick={() => dismiss(one.key)}>
                  <X size={14} />
                </button>
              </>
            ) : (
              <progress aria-label={`Uploading ${one.name}`} value={one.part} max={1} />
            )}
          </li>
        ))}
        <li class="add">
          <label>
            <Up size={20} aria-hidden="true" />
            <span>Drop images, or choose</span>
            <input
              type="file"
              class="hidden"
              multiple
              accept={TYPES.join()}
              onChange={(event) => {
                void add(event.currentTarget.files ?? []);
                event.currentTarget.value = "";
              }}
            />
          </label>
        </li>
      </ul>
      {shown.some((one) => one.status === "ready") && (
        <button type="button" class="button" onClick={() => attempt(suggest(dataset))}>
          <Sparkles size={16} /> Let the vision model name what it sees
        </button>
      )}
    </fieldset>
  );
}
