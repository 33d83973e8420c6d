// The form that makes an image. It says what the chosen model can do, and what this one will cost.
import { ChevronDown, RotateCcw, Sparkles, X } from "lucide-preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { dataset, draft, EMPTY, parent, type Draft } from "../data/draft";
import { money } from "../data/format";
import { change, draftOf, generate, problem } from "../data/making";
import { datasets, fallback, modelNamed, models, usage } from "../data/shelves";
import { Fault, Field } from "./Field";
import { Ratios } from "./Ratios";
import { Thumb } from "./Thumb";

const QUALITIES = ["draft", "standard", "high"] as const;
const FORMATS = ["png", "jpg", "webp"] as const;
const RESOLUTIONS = ["1K", "2K", "4K"] as const;

export function Composer() {
  const form = draft.value;
  const [open, setOpen] = useState(false);
  const prompt = useRef<HTMLTextAreaElement>(null);
  const model = modelNamed(form.model);
  const price = model?.price_usd[form.resolution] ?? null;
  const spent = usage.value?.daily_images?.left === 0;

  useEffect(() => {
    if (parent.value) setOpen(true);
  }, [parent.value]);
  useEffect(() => {
    if (problem.value?.errors.some((one) => one.field !== "prompt")) setOpen(true);
  }, [problem.value]);

  const isListed = !form.model || model !== undefined;
  const isGone = !isListed && models.value.length > 0;
  const use = (name: string) => {
    change({ model: name });
    prompt.current?.focus();
  };

  const submit = () => {
    if (!form.prompt.trim()) return prompt.current?.focus();
    if (!spent) void generate();
  };
  return (
    <form
      class="composer"
      aria-label="Generate an image"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Parent />
      <textarea
        id="prompt"
        ref={prompt}
        rows={2}
        maxLength={10_000}
        aria-label="Prompt"
        aria-invalid={problem.value?.errors.some((one) => one.field === "prompt") ?? false}
        placeholder="Describe an image…"
        value={form.prompt}
        onInput={(event) => change({ prompt: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            event.currentTarget.form!.requestSubmit();
          }
        }}
      />
      <Fault of="prompt" />
      <div class="choices">
        <Ratios takes={model?.aspect_ratios ?? []} />
        <label class="chip">
          <span>Dataset</span>
          <select value={form.dataset_id} onChange={(event) => change({ dataset_id: event.currentTarget.value })}>
            <option value="">None</option>
            {datasets.value.map((one) => (
              <option key={one.id} value={one.id}>{one.name}</option>
            ))}
          </select>
        </label>
        <label class={changed("style") ? "chip changed" : "chip"}>
          <span>Style</span>
          <input
            list="styles"
            maxLength={200}
            placeholder="Any"
            value={form.style}
            onInput={(event) => change({ style: event.currentTarget.value })}
          />
          <datalist id="styles">
            {model?.styles.map((one) => <option key={one} value={one} />)}
          </datalist>
        </label>
        <button type="button" class="chip" aria-expanded={open} aria-controls="more" onClick={() => setOpen(!open)}>
          More <ChevronDown size={14} class={open ? "turned" : ""} />
        </button>
        <span class="push" />
        <span class="price" title="What this image will cost">{model && money(price)}</span>
        <button type="submit" class="button primary" disabled={spent}>
          <Sparkles size={16} /> {parent.value ? "Regenerate" : "Generate"}
        </button>
      </div>
      {spent && <p class="fault" role="status">Today's images are used up.</p>}
      {problem.value && (
        <p class="fault" role="alert">
          {problem.value.message}
          {problem.value.retryAfter && ` Try again in ${problem.value.retryAfter} s.`}
        </p>
      )}
      {isGone && fallback.value && (
        <p class="note" role="status">
          {form.model} is not offered any more.{" "}
          <button type="button" class="link" onClick={() => use(fallback.value!.name)}>
            Use {fallback.value.name}
          </button>
        </p>
      )}
      {open && (
        <div id="more" class="more">
          <Field name="model" label="Model">
            <select value={form.model} onChange={(event) => change({ model: event.currentTarget.value })}>
              <option value="">{fallback.value ? `Automatic (${fallback.value.name})` : "Automatic"}</option>
              {models.value.map((one) => (
                <option key={one.name} value={one.name}>{one.name}</option>
              ))}
              {!isListed && <option value={form.model}>{isGone ? `${form.model} (not offered any more)` : form.model}</option>}
            </select>
          </Field>
          <Choice name="resolution" label="Resolution" options={RESOLUTIONS} />
          <Choice name="quality" label="Quality" options={QUALITIES} />
          <Choice name="format" label="Format" options={FORMATS} />
          <div>
            <Field name="seed" label="Seed">
              <input
                inputMode="numeric"
                pattern="[0-9]{1,10}"
                placeholder={parent.value ? "New" : "Random"}
                value={form.seed}
                onInput={(event) => change({ seed: event.currentTarget.value })}
              />
            </Field>
            {parent.value?.seed != null && (
              <button type="button" class="link same" onClick={() => change({ seed: String(parent.value?.seed) })}>
                Same as before
              </button>
            )}
          </div>
          {parent.value?.dataset_id && form.dataset_id === parent.value.dataset_id && (
            <div>
              <label class="field">
                <span>Dataset</span>
                <select
                  value={dataset.value}
                  onChange={(event) => (dataset.value = event.currentTarget.value === "current" ? "current" : "frozen")}
                >
                  <option value="frozen">As it was then</option>
                  <option value="current">As it is now</option>
                </select>
              </label>
            </div>
          )}
          <Field name="negative_prompt" label="Without" wide>
            <input
              maxLength={10_000}
              placeholder="What should not be in it"
              value={form.negative_prompt}
              onInput={(event) => change({ negative_prompt: event.currentTarget.value })}
            />
          </Field>
          <p class="note">{limits(form)}</p>
        </div>
      )}
    </form>
  );
}

/** The image that this one is made after, and what will be different. */
function Parent() {
  const after = parent.value;
  if (!after) return null;
  const names = (Object.keys(EMPTY) as (keyof Draft)[]).filter(changed);
  const again = () => change(draftOf(after));
  const stop = () => {
    parent.value = null;
    draft.value = { ...EMPTY };
  };
  return (
    <div class="parent">
      <Thumb of={after} />
      <p>
        <b>Again, {names.length ? "with changes" : "as it is"}</b>
        <span>{names.length ? names.map((name) => LABELS[name]).join(", ") : "Change anything below."}</span>
      </p>
      {names.length > 0 && (
        <button type="button" class="icon" aria-label="Undo the changes" title="Undo the changes" onClick={again}>
          <RotateCcw size={16} />
        </button>
      )}
      <button type="button" class="icon" aria-label="Make a new image instead" title="Make a new image instead" onClick={stop}>
        <X size={16} />
      </button>
    </div>
  );
}

const LABELS: Record<keyof Draft, string> = {
  prompt: "prompt",
  negative_prompt: "what is left out",
  style: "style",
  dataset_id: "dataset",
  model: "model",
  aspect_ratio: "ratio",
  quality: "quality",
  format: "format",
  resolution: "resolution",
  seed: "seed",
};

/** Whether the form differs here from the image it started from. */
export function changed(name: keyof Draft): boolean {
  return parent.value !== null && draft.value[name] !== draftOf(parent.value)[name];
}

function Choice<N extends "quality" | "format" | "resolution">(props: {
  name: N;
  label: string;
  options: readonly Draft[N][];
}) {
  return (
    <Field name={props.name} label={props.label}>
      <select
        value={draft.value[props.name]}
        onChange={(event) => change({ [props.name]: event.currentTarget.value } as Partial<Draft>)}
      >
        {props.options.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </Field>
  );
}

/** What the model cannot do by itself of what is asked. */
function limits(form: Draft): string {
  const model = modelNamed(form.model);
  if (!model) return "";
  const told = [
    !model.aspect_ratios.includes(form.aspect_ratio) && `uses the ratio nearest to ${form.aspect_ratio}`,
    !model.resolutions.includes(form.resolution) && `is enlarged to ${form.resolution}`,
    !model.seed && form.seed && "takes no seed",
    !model.negative_prompt && form.negative_prompt && "takes no words about what to leave out",
    !model.quality && form.quality !== "standard" && "has one quality only",
  ].filter(Boolean);
  return told.length ? `${model.name} ${told.join(", ")}.` : "";
}
