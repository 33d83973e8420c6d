import { memo } from "preact/compat";
import { useState } from "preact/hooks";
import { Check, CircleAlert, Heart, ShieldAlert, Trash2 } from "lucide-preact";
import { address, go, isPlain, link } from "../data/address";
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
        aria-label={isPicture(image) ? spoken(image, picked) : undefined}
        onClick={open}
        onFocus={() => (current.value = image.id)}
      >
        <Face image={image} width={width} height={height} />
      </a>
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

function Face({ image, width, height }: { image: Image; width: number; height: number }) {
  const [seen, setSeen] = useState(false);
  if (image.status === "pending") {
    return (
      <div class="face waiting">
        <Elapsed since={image.created_at} />
        <p>{image.prompt}</p>
      </div>
    );
  }
  if (!isPicture(image)) {
    const Icon = image.deleted_at ? Trash2 : image.status === "blocked" ? ShieldAlert : CircleAlert;
    return (
      <div class={image.deleted_at ? "face" : "face failed"}>
        <Icon size={22} aria-hidden="true" />
        <b>{image.deleted_at ? "In the trash" : image.status === "blocked" ? "Blocked" : "Failed"}</b>
        <p>{image.error ?? image.prompt}</p>
      </div>
    );
  }
  return (
    <>
      <img
        class={seen ? "seen" : ""}
        src={image.thumbnail_url!}
        alt=""
        width={width}
        height={height}
        decoding="async"
        draggable={false}
        onLoad={() => setSeen(true)}
      />
      <p class="caption"><Marked image={image} /></p>
    </>
  );
}

const isPicture = (image: Image): boolean => image.status === "succeeded" && !!image.thumbnail_url && !image.deleted_at;

function spoken(image: Image, picked: boolean): string {
  const prompt = image.prompt.length > 160 ? `${image.prompt.slice(0, 160)}…` : image.prompt;
  return [
    prompt,
    image.status === "succeeded" ? "" : image.status,
    image.favorite ? "favourite" : "",
    picked ? "selected" : "",
  ].filter(Boolean).join(", ");
}
