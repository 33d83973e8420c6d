// What is under way is followed to its end, wherever it came from.
import { effect } from "@preact/signals";
import type { Image } from "../schema";
import { get, Problem } from "./api";
import { drop, images, replace } from "./images";

const FIRST_LOOK = 700; // milliseconds
const LONGEST_PAUSE = 5000;
const AT_ONCE = 10;

/** The placeholders of images that the API does not know yet. */
export const sending = new Set<string>();
const followed = new Set<string>();

/** Follows every image that is listed and under way. */
export function follow(): void {
  effect(() => {
    for (const { id, status } of images.value) {
      if (status === "pending" && !sending.has(id) && !followed.has(id)) void toItsEnd(id);
    }
  });
}

/** Looks again and again, ever less often, until the image has its final status or is not listed any more. */
async function toItsEnd(id: string): Promise<void> {
  followed.add(id);
  for (let pause = FIRST_LOOK; isListed(id); pause = Math.min(pause * 1.3, LONGEST_PAUSE)) {
    await new Promise((resolve) => setTimeout(resolve, pause * Math.ceil(followed.size / AT_ONCE)));
    if (isListed(id) && (await look(id))) break;
  }
  followed.delete(id);
}

const isListed = (id: string): boolean => images.peek().some((one) => one.id === id);

/** Whether the image is final; a failure to ask is not. */
async function look(id: string): Promise<boolean> {
  try {
    const image = await get<Image>(`/ai/generated-images/${id}`);
    replace(image);
    return image.status !== "pending";
  } catch (error) {
    const gone = error instanceof Problem && error.status === 404;
    if (gone) drop([id]);
    return gone;
  }
}
