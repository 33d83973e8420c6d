// What is told, where it can be seen and pressed: in the dialog on top if there is one, for all else is inert behind it.
import { signal } from "@preact/signals";
import { X } from "lucide-preact";
import { dismiss, toasts } from "../data/toasts";

/** The dialogs that are open, the one on top last. */
export const dialogs = signal<symbol[]>([]);

/** The place for them in a dialog, or on the page. */
export function Toasts({ dialog }: { dialog?: symbol }) {
  const shown = dialogs.value.at(-1) === dialog ? toasts.value : [];
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast bad" : "toast"}>
          <span>{toast.text}</span>
          {toast.act && (
            <button
              type="button"
              class="link"
              onClick={() => {
                toast.act?.run();
                dismiss(toast.id);
              }}
            >
              {toast.act.label}
            </button>
          )}
          <button type="button" class="icon small" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            <X size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
