// What can be done with one image.
import { Heart, RefreshCw, RotateCcw, Trash2 } from "lucide-preact";
import { act, favorite } from "../data/acts";
import { close } from "../data/address";
import { parent } from "../data/draft";
import { change, draftOf } from "../data/making";
import type { Image } from "../schema";

interface Props {
  image: Image;
  onChange: (image: Image) => void;
  onGone: () => void;
}

export function Actions({ image, onChange, onGone }: Props) {
  if (image.deleted_at) {
    const restore = async () => (await act("restore", [image.id])).length || onGone();
    return (
      <button type="button" class="button primary" onClick={() => void restore()}>
        <RotateCcw size={16} /> Restore
      </button>
    );
  }
  const mark = async () => {
    onChange({ ...image, favorite: !image.favorite });
    onChange(await favorite(image, !image.favorite));
  };
  const trash = async () => (await act("delete", [image.id])).length || onGone();
  return (
    <>
      {image.status === "succeeded" && (
        <button type="button" class="button" aria-pressed={image.favorite} onClick={() => void mark()}>
          <Heart size={16} class={image.favorite ? "filled" : ""} /> Favorite
        </button>
      )}
      <button type="button" class="button" onClick={() => again(image)}>
        <RefreshCw size={16} /> Again
      </button>
      <button type="button" class="button danger" aria-label="Move to trash" title="Move to trash" onClick={() => void trash()}>
        <Trash2 size={16} />
      </button>
    </>
  );
}

/** Fills the form with an image, to be made again. */
function again(image: Image): void {
  parent.value = image;
  change(draftOf(image));
  close("image");
  requestAnimationFrame(() => {
    document.getElementById("prompt")?.focus();
    scrollTo({ top: 0 });
  });
}
