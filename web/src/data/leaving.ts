// What somebody was doing is not for the eyes of whoever comes next.
import { batch, effect, untracked } from "@preact/signals";
import { go } from "./address";
import { forget } from "./making";
import { caller, session } from "./session";
import { dismissActs } from "./toasts";

/** Clears the form, the offers to undo and what is open whenever the caller changes; who signs in keeps the draft. */
export function follow(): void {
  let before = caller.value;
  effect(() => {
    if (caller.value === before) return;
    before = caller.value;
    untracked(() =>
      batch(() => {
        forget(session.value !== null);
        dismissActs();
        go({ image: "", panel: "" }, "replace");
      }),
    );
  });
}
