import { memo } from "preact/compat";
import { useState } from "preact/hooks";
import { Check, CircleAlert, Heart, ImageOff, RotateCw, ShieldAlert, Trash2 } from "lucide-preact";
import { address, go, isPlain, link } from "../data/address";
import { reload, retries, sightOf, wordsFor } from "../data/pictures";
import type { Image } from "../schema";
import { Elapsed } from "./Elapsed";
import { Marked } from "./Marked";
import { chosen, current, pick, selecting } from "../data/selection";

interface Props {
  image: Image;
  position: number;
  of: number;
  top: number;
  left: number;
  width: number;
  height: number;
  inTabOrder: boolean;
}

export const Tile = memo(function Tile(props: Props) {
  const { image, position, of, top, left, width, height, inTabOrder } = props;
  const picked = chosen.value.has(image.id);
  const [lost, setLost] = useState("");
  const attempt = `${retries.value} ${image.thumbnail_url ?? image.image_url}`;
  const isLost = lost === attempt && sightOf(image) === "picture";
  const open = (event: MouseEvent) => {
    if (!isPlain(event) && !selecting.value) return;
    event.preventDefault();
    current.value = image.id;
    if (selecting.value) pick(image.id, event.shiftKey);
    else if (image.status !== "pending") go({ image: image.id });
  };
  return (
    <li
      class={picked ? "tile picked" : "tile"}
      aria-posinset={position}
      aria-setsize={of}
      style={{ transform: `translate(${left}px, ${top}px)`, width: `${width}px`, height: `${height}px` }}
    >
      <a
        id={`tile-${image.id}`}
        href={link({ ...address.value, image: image.id })}
        tabIndex={inTabOrder ? 0 : -1}
        aria-label={sightOf(image) === "picture" && !isLost ? spoken(image, picked) : undefined}
        onClick={open}
        onFocus={() => (current.value = image.id)}
      >
        {isLost ? (
          <Blank image={image} Icon={ImageOff} words={LOST} />
        ) : (
          <Face key={attempt} image={image} width={width} height={height} onLost={() => setLost(attempt)} />
        )}
      </a>
      {isLost && (
        <button
          type="button"
          class="retry"
          aria-label="Retry loading the picture"
          title="Retry loading the picture"
          tabIndex={inTabOrder ? 0 : -1}
          onClick={() => void reload(image.id).then(() => setLost(""))}
        >
          <RotateCw size={14} aria-hidden="true" /> Retry
        </button>
      )}
      {image.favorite && <Heart class="badge" size={16} aria-hidden="true" />}
      {image.status !== "pending" && (
        <button
          type="button"
          class="pick"
          tabIndex={-1}
          aria-label={picked ? "Unselect" : "Select"}
          aria-pressed={picked}
          onClick={(event) => pick(image.id, event.shiftKey)}
        >
          <Check size={14} />
        </button>
      )}
    </li>
  );
});

const LOST = "The picture could not be loaded";

const ICONS = { none: ImageOff, trash: Trash2, failed: CircleAlert, blocked: ShieldAlert, other: CircleAlert };

interface FaceProps {
  image: Image;
  width: number;
  height: number;
  onLost: () => void;
}

function Face({ image, width, height, onLost }: FaceProps) {
  const [seen, setSeen] = useState(false);
  const sight = sightOf(image);
  if (sight === "pending") {
    return (
      <div class="face waiting">
        <Elapsed since={image.created_at} />
        <p>{image.prompt}</p>
      </div>
    );
  }
  if (sight !== "picture") return <Blank image={image} Icon={ICONS[sight]} words={wordsFor(image)} />;
  return (
    <>
      <img
        class={seen ? "seen" : ""}
        src={(image.thumbnail_url ?? image.image_url)!}
        alt=""
        width={width}
        height={height}
        decoding="async"
        draggable={false}
        onLoad={() => setSeen(true)}
        onError={onLost}
      />
      <p class="caption"><Marked image={image} /></p>
    </>
  );
}

/** A record without a picture to show: what it is of, and why. */
function Blank({ image, Icon, words }: { image: Image; Icon: typeof ImageOff; words: string }) {
  const isFault = ["failed", "blocked"].includes(sightOf(image));
  return (
    <div class={isFault ? "face blank failed" : "face blank"}>
      <Icon size={22} aria-hidden="true" />
      <p class="of"><Marked image={image} /></p>
      <b>{words}</b>
      {isFault && image.error && <p>{image.error}</p>}
    </div>
  );
}

function spoken(image: Image, picked: boolean): string {
  const prompt = image.prompt.length > 160 ? `${image.prompt.slice(0, 160)}…` : image.prompt;
  return [prompt, image.favorite ? "favorite" : "", picked ? "selected" : ""].filter(Boolean).join(", ");
}
