// One image, large, with all that is known of how it came to be.
import { ChevronLeft, ChevronRight, Download, ImageOff, RotateCw } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { address, close, go } from "../data/address";
import { get, words } from "../data/api";
import { images, more } from "../data/images";
import { reload, retries, sightOf, wordsFor } from "../data/pictures";
import type { Image } from "../schema";
import { Dialog } from "../ui/Dialog";
import { Actions } from "./Actions";
import { Facts } from "./Facts";
import { shapeOf } from "./layout";
import { Lineage } from "./Lineage";
import { current } from "../data/selection";

const LONG = 400; // characters

export function Viewer() {
  const id = address.value.image!;
  const at = images.value.findIndex((one) => one.id === id);
  const [other, setOther] = useState<Image | null>(null);
  const [fault, setFault] = useState("");
  const image = images.value[at] ?? (other?.id === id ? other : null);

  useEffect(() => {
    setFault("");
    if (at >= 0) return;
    get<Image>(`/ai/generated-images/${encodeURIComponent(id)}`).then(setOther, (error) => setFault(words(error)));
  }, [id, at < 0]);

  const step = (by: 1 | -1) => {
    const next = at < 0 ? undefined : images.value[at + by];
    if (next) go({ image: next.id }, "replace");
    if (at + by > images.value.length - 5) void more();
  };
  const leave = () => {
    close("image");
    if (at >= 0) current.value = id;
  };
  /** The image was taken out of the list, and the one after it took its place. */
  const gone = () => {
    if (address.value.image !== id) return;
    leave();
    const next = images.value[at] ?? images.value.at(-1);
    requestAnimationFrame(() => (next ? (current.value = next.id) : document.getElementById("images")?.focus()));
  };
  const keys = (event: KeyboardEvent) => {
    if ((event.target as HTMLElement).closest("input, textarea, select")) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  };
  return (
    <Dialog label="Image" kind="viewer" onClose={leave} back={`tile-${id}`}>
      <div class="stage" onKeyDown={keys} tabIndex={-1} autofocus>
        {image && <Picture image={image} />}
        {fault && <p role="alert">{fault}</p>}
        <button type="button" class="icon step back" aria-label="Newer" disabled={at <= 0} onClick={() => step(-1)}>
          <ChevronLeft size={24} />
        </button>
        <button
          type="button"
          class="icon step on"
          aria-label="Older"
          disabled={at < 0 || at >= images.value.length - 1}
          onClick={() => step(1)}
        >
          <ChevronRight size={24} />
        </button>
      </div>
      {image && (
        <aside class="about" aria-label="How it came to be" onKeyDown={keys}>
          <Prompt key={image.id} text={image.prompt} />
          <div class="acts">
            {image.image_url && sightOf(image) === "picture" && (
              <a
                class="button"
                href={image.image_url}
                download={`${image.id}.${image.format}`}
                aria-label="Download"
                title="Download"
              >
                <Download size={16} />
              </a>
            )}
            <Actions image={image} onChange={setOther} onGone={gone} />
          </div>
          <Facts image={image} />
          <Lineage image={image} />
        </aside>
      )}
    </Dialog>
  );
}

/** A long one is cut, until somebody wants to see all of it. */
function Prompt({ text }: { text: string }) {
  const [whole, setWhole] = useState(text.length <= LONG);
  return (
    <div>
      <h2 class={whole ? "prompt" : "prompt cut"}>{text}</h2>
      {text.length > LONG && (
        <button type="button" class="link" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "Show less" : "Show all of it"}
        </button>
      )}
    </div>
  );
}

function Picture({ image }: { image: Image }) {
  const [loaded, setLoaded] = useState("");
  const [lost, setLost] = useState("");
  const attempt = `${retries.value} ${image.image_url}`;
  if (sightOf(image) !== "picture") return <Absent>{image.error ?? wordsFor(image)}</Absent>;
  if (lost === attempt) {
    return (
      <Absent>
        The picture could not be loaded
        <button type="button" class="button" onClick={() => void reload(image.id).then(() => setLost(""))}>
          <RotateCw size={16} aria-hidden="true" /> Retry
        </button>
      </Absent>
    );
  }
  return (
    <div class="frame" style={{ aspectRatio: String(shapeOf(image)), "--shape": String(shapeOf(image)) }}>
      {image.thumbnail_url && loaded !== image.id && <img class="rough" src={image.thumbnail_url} alt="" />}
      <img
        key={attempt}
        src={image.image_url!}
        alt={image.prompt}
        width={image.width ?? undefined}
        height={image.height ?? undefined}
        class={loaded === image.id ? "seen" : ""}
        onLoad={() => setLoaded(image.id)}
        onError={() => setLost(attempt)}
      />
    </div>
  );
}

const Absent = ({ children }: { children: ComponentChildren }) => (
  <div class="absent" role="status">
    <ImageOff size={32} aria-hidden="true" />
    {children}
  </div>
);
