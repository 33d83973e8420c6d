// Short words about what happened, with at most one thing to do about it.
import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  act?: { label: string; run: () => void };
}

export const toasts = signal<Toast[]>([]);

let last = 0;

/** May be called in an effect: it subscribes to nothing. */
export function tell(text: string, more: { bad?: boolean; act?: Toast["act"] } = {}): void {
  const toast: Toast = { id: ++last, text, bad: more.bad ?? false, ...(more.act && { act: more.act }) };
  toasts.value = [...toasts.peek().slice(-2), toast];
  setTimeout(() => dismiss(toast.id), toast.act ? 20_000 : toast.bad ? 8000 : 4000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.peek().filter((one) => one.id !== id);
}
