// What somebody was doing is not for the eyes of whoever comes next.
import { address, go } from "./address";
import { problem } from "./making";
import { onCallerChange } from "./session";
import { toasts } from "./toasts";

/** Closes what is open, and drops what was told, whenever the caller changes; who signs in keeps their search and filters. */
export function follow(): void {
  onCallerChange((hasLeft) => {
    problem.value = null;
    toasts.value = [];
    const all = Object.fromEntries(Object.keys(address.value).map((name) => [name, ""]));
    go(hasLeft ? all : { image: "", panel: "" }, "replace");
  });
}
