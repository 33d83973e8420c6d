// Search as you type; what was found is listed as everything else is.
import { Search as Glass, X } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import { address, go } from "../data/address";

const PAUSE = 200; // milliseconds without a key

export function Search() {
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  const q = address.value.q ?? "";
  useEffect(() => {
    if (field.current && field.current.value.trim() !== q) field.current.value = q;
  }, [q]);
  const look = () => {
    clearTimeout(timer.current);
    const text = field.current!.value.trim();
    if (text === q) return;
    const { status } = address.value;
    go({ q: text, status: text && status === "deleted" ? "" : status ?? "" }, q ? "replace" : "push");
  };
  const clear = () => {
    field.current!.value = "";
    look();
    field.current!.focus();
  };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        look();
      }}
    >
      <Glass size={16} aria-hidden="true" />
      <input
        id="search"
        ref={field}
        type="search"
        aria-label="Search prompts"
        placeholder="Search prompts"
        maxLength={1000}
        defaultValue={q}
        autocomplete="off"
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(look, PAUSE);
        }}
      />
      {q ? (
        <button type="button" class="icon small" aria-label="Clear the search" onClick={clear}>
          <X size={14} />
        </button>
      ) : (
        <kbd aria-hidden="true">/</kbd>
      )}
    </form>
  );
}
