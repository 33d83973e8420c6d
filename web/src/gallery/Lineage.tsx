// The family of an image: what it was made from, and what was made from it.
import { useEffect, useState } from "preact/hooks";
import { address, go, isPlain, link } from "../data/address";
import { get } from "../data/api";
import { images } from "../data/images";
import { Thumb } from "./Thumb";
import type { Image, Lineage as Family, LineageNode } from "../schema";

export function Lineage({ image }: { image: Image }) {
  const [family, setFamily] = useState<Family | null>(null);
  const children = images.value.filter((one) => one.parent_id === image.id).length;
  useEffect(() => {
    const stop = new AbortController();
    setFamily(null);
    if (image.status === "pending") return;
    get<Family>(`/ai/generated-images/${image.id}/lineage`, {}, stop.signal).then(setFamily, () => undefined);
    return () => stop.abort();
  }, [image.id, image.status, children]);
  if (!family || family.count < 2) return null;
  return (
    <section aria-label="Family">
      <h3>Family</h3>
      <Generation nodes={family.roots} here={image.id} />
      {family.truncated && <p class="note">The family is larger than this.</p>}
    </section>
  );
}

function Generation({ nodes, here }: { nodes: LineageNode[]; here: string }) {
  return (
    <ul class="family">
      {nodes.map((node) => (
        <li key={node.id}>
          <Member node={node} isHere={node.id === here} />
          {node.children.length > 0 && <Generation nodes={node.children} here={here} />}
        </li>
      ))}
    </ul>
  );
}

function Member({ node, isHere }: { node: LineageNode; isHere: boolean }) {
  const open = (event: MouseEvent) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    go({ image: node.id }, "replace");
  };
  const changed = node.changed.map((name) => name.replaceAll("_", " ")).join(", ");
  return (
    <a href={link({ ...address.value, image: node.id })} aria-current={isHere ? "true" : undefined} onClick={open}>
      <Thumb of={node} />
      <span>
        {node.prompt_start}
        <small>{node.parent_id ? (changed ? `other ${changed}` : "as it was") : "the first"}</small>
      </span>
    </a>
  );
}
