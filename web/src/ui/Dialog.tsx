// A modal dialog: the browser keeps the focus inside, Escape and the backdrop close it.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { X } from "lucide-preact";
import { dialogs, Toasts } from "./Toasts";

interface Props {
  label: string;
  kind: string;
  /** What leaves it; a dialog without it is left by what is in it, and stays on top of every other. */
  onClose?: () => void;
  /** The id of what gets the focus afterwards, if it is not what had it before. */
  back?: string;
  children: ComponentChildren;
}

export function Dialog({ label, kind, onClose, back, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [me] = useState(() => Symbol(label));
  const to = useRef(back);
  to.current = back;
  useLayoutEffect(() => {
    dialog.current?.showModal();
    dialogs.value = [...dialogs.value, me];
    return () => {
      dialog.current?.close();
      dialogs.value = dialogs.value.filter((one) => one !== me);
      if (to.current) document.getElementById(to.current)?.focus();
    };
  }, []);
  const isBelow = !onClose && dialogs.value.includes(me) && dialogs.value.at(-1) !== me;
  useLayoutEffect(() => {
    if (!isBelow) return;
    dialog.current?.close();
    dialog.current?.showModal();
    dialogs.value = [...dialogs.value.filter((one) => one !== me), me];
  }, [isBelow]);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${kind}`}
      aria-label={label}
      onCancel={(event) => {
        if (event.target !== dialog.current) return; // a file chooser's bubbles
        event.preventDefault();
        onClose?.();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.isComposing) return;
        event.preventDefault(); // of a second Escape in a row the browser would not ask
        onClose?.();
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose?.()}
    >
      {onClose && (
        <button type="button" class="icon close" aria-label="Close" onClick={onClose}>
          <X size={20} />
        </button>
      )}
      {children}
      <Toasts dialog={me} />
    </dialog>
  );
}
