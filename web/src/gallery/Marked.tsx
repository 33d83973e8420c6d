// A prompt; of one that was searched for, the part that was found, and what stands out in it.
import type { FoundImage, Image } from "../schema";

export function Marked({ image }: { image: Image | FoundImage }) {
  if (!("snippet" in image) || !image.snippet.length) return <>{image.prompt}</>;
  return (
    <>
      {image.snippet.map((part, at) => (part.match ? <mark key={at}>{part.text}</mark> : part.text))}
    </>
  );
}
