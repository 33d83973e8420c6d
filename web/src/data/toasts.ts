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

export function tell(text: string, more: { bad?: boolean; act?: Toast["act"] } = {}): void {
  const toast: Toast = { id: ++last, text, bad: more.bad ?? false, ...(more.act && { act: more.act }) };
  toasts.value = [...toasts.value.slice(-2), toast];
  setTimeout(() => dismiss(toast.id), toast.bad || toast.act ? 8000 : 4000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}
