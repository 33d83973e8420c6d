// The record of an image, as a person reads it.
import { Check, Copy } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { go } from "../data/address";
import { bytes, moment, money, plural, seconds } from "../data/format";
import { datasetOf } from "../data/shelves";
import type { Image } from "../schema";

export function Facts({ image }: { image: Image }) {
  const dataset = datasetOf(image.dataset_id);
  return (
    <>
      {image.error && <p class="fault">{image.error}</p>}
      <section>
        <h3>
          What the model was given <Copying text={image.full_prompt} />
        </h3>
        <p class="full">{image.full_prompt}</p>
        {image.negative_prompt && <p class="note">Without: {image.negative_prompt}</p>}
      </section>
      <dl>
        <Fact name="Made">{moment(image.created_at)}</Fact>
        <Fact name="Model">{image.model}</Fact>
        {image.model_id !== image.model && <Fact name="Answered by">{image.model_id}</Fact>}
        <Fact name="Style">{image.style}</Fact>
        <Fact name="Ratio">{image.aspect_ratio}</Fact>
        <Fact name="Size">
          {image.width && `${image.width} × ${image.height}, ${image.format}, ${bytes(image.bytes ?? 0)}`}
        </Fact>
        <Fact name="Quality">{image.quality}</Fact>
        <Fact name="Seed">{image.seed}</Fact>
        <Fact name="Cost">{money(image.cost_usd)}</Fact>
        <Fact name="Took">{image.generation_ms === null ? null : seconds(image.generation_ms)}</Fact>
        <Fact name="Dataset">
          {image.dataset_id && (
            <button type="button" class="link" onClick={() => go({ dataset_id: image.dataset_id!, image: "" })}>
              {dataset?.name ?? "another"}
              {image.dataset_version && `, version ${image.dataset_version}`}
            </button>
          )}
        </Fact>
        <Fact name="Visual elements">{image.unique_visual_elements?.join(", ")}</Fact>
        <Fact name="References">
          {image.reference_images_count ? plural(image.reference_images_count, "image") : null}
        </Fact>
        <Fact name="Not used">{image.dropped_params?.join(", ")}</Fact>
        <Fact name="By">{image.user_id}</Fact>
        <Fact name="Id">
          <code>{image.id}</code> <Copying text={image.id} />
        </Fact>
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === null || children === undefined || children === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Copying({ text }: { text: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button type="button" class="icon small" aria-label="Copy" title="Copy" onClick={() => void copy()}>
      {done ? <Check size={14} /> : <Copy size={14} />}
    </button>
  );
}
