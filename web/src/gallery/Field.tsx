import type { ComponentChildren } from "preact";
import type { Draft } from "../data/draft";
import { problem } from "../data/making";
import { changed } from "./Composer";

interface Props {
  name: keyof Draft;
  label: string;
  wide?: boolean;
  children: ComponentChildren;
}

export function Field({ name, label, wide, children }: Props) {
  return (
    <div class={wide ? "wide" : ""}>
      <label class={changed(name) ? "field changed" : "field"}>
        <span>{label}</span>
        {children}
      </label>
      <Fault of={name} />
    </div>
  );
}

/** What the API said about one field. */
export function Fault({ of }: { of: keyof Draft }) {
  const said = problem.value?.errors.find((one) => one.field === of);
  return said ? <p class="fault">{said.message}</p> : null;
}
