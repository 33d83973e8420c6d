// A modal dialog: the browser keeps the focus inside, Escape and the backdrop close it.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { X } from "lucide-preact";

interface Props {
  label: string;
  kind: string;
  onClose: () => void;
  /** The id of what gets the focus afterwards, if it is not what had it before. */
  back?: string;
  children: ComponentChildren;
}

export function Dialog({ label, kind, onClose, back, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const to = useRef(back);
  to.current = back;
  useLayoutEffect(() => {
    dialog.current?.showModal();
    return () => {
      dialog.current?.close();
      if (to.current) document.getElementById(to.current)?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${kind}`}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <button type="button" class="icon close" aria-label="Close" onClick={onClose}>
        <X size={20} />
      </button>
      {children}
    </dialog>
  );
}
