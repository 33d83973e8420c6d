// A small picture, or the place of one that there is not or that cannot be loaded.
import { ImageOff } from "lucide-preact";
import { useState } from "preact/hooks";
import { retries } from "../data/pictures";

export function Thumb({ of }: { of: { thumbnail_url: string | null } }) {
  const [lost, setLost] = useState("");
  const attempt = `${retries.value} ${of.thumbnail_url}`;
  if (!of.thumbnail_url || lost === attempt) return <span class="thumb"><ImageOff size={18} aria-hidden="true" /></span>;
  return <img key={attempt} class="thumb" src={of.thumbnail_url} alt="" onError={() => setLost(attempt)} />;
}
