import { close } from "../data/address";
import { Dialog } from "../ui/Dialog";

const KEYS = [
  ["/", "Search"],
  ["n", "Write a prompt"],
  ["Enter", "Generate; open an image"],
  ["← ↑ ↓ →", "Go from image to image"],
  ["x, Space", "Select; with Shift, all between"],
  ["Ctrl A", "Select all loaded images"],
  ["Esc", "Close; clear the selection"],
  ["?", "This list"],
] as const;

export function Help() {
  return (
    <Dialog label="Keyboard" kind="small" onClose={() => close("panel")}>
      <h2>Keyboard</h2>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <>
            <dt><kbd>{key}</kbd></dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}
