// What to do where there is nothing to see.
import { ImageOff, Sparkles } from "lucide-preact";
import { address, go } from "../data/address";

export function Nothing() {
  const { image: _image, panel: _panel, ...filters } = address.value;
  const filtered = Object.keys(filters).length > 0;
  return (
    <div class="nothing">
      {filtered ? <ImageOff size={40} /> : <Sparkles size={40} />}
      <h2>{filtered ? "Nothing here" : "Your first image is one sentence away"}</h2>
      <p>{filtered ? "No image is like that." : "Describe it above. Everything about it will be kept."}</p>
      {filtered && (
        <button
          type="button"
          class="button"
          onClick={() => go(Object.fromEntries(Object.keys(filters).map((name) => [name, ""])))}
        >
          Show all images
        </button>
      )}
    </div>
  );
}
