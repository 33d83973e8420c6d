// What can be done with images that exist: each act shows at once, and is taken back if the API says no.
import { signal } from "@preact/signals";
import type { BatchRequest, BatchResult, Image, Job } from "../schema";
import { address } from "./address";
import { call, post, words } from "./api";
import { count, plural } from "./format";
import { asked, drop, images, replace, restart, view } from "./images";
import { followed } from "./jobs";
import { tell } from "./toasts";

export type Action = BatchRequest["action"];

const AT_ONCE = 200;

export const working = signal<string | null>(null);

const inTrash = (): boolean => address.value.status === "deleted";

/** Marks or unmarks one image. */
export async function favorite(image: Image, on: boolean): Promise<Image> {
  const seen = view.value;
  replace({ ...image, favorite: on });
  try {
    const { body } = await call<Image>(on ? "PUT" : "DELETE", `/ai/generated-images/${image.id}/favorite`);
    if (!on && address.value.favorite) drop(image.id);
    else replace(body);
    if (view.value !== seen) restart();
    return body;
  } catch (error) {
    replace(image);
    tell(words(error), { bad: true });
    return image;
  }
}

/** Does something to some images, and offers to undo it. */
export async function act(action: Action, ids: string[]): Promise<boolean> {
  const [before, seen] = [images.value, view.value];
  const leaves = action === "delete" ? !inTrash() : action === "restore" && inTrash();
  if (leaves) drop(...ids);
  working.value = LABELS[action].doing;
  try {
    const failed = new Map<string, string>();
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const body: BatchRequest = { action, ids: ids.slice(at, at + AT_ONCE) };
      const answer = await post<BatchResult>("/ai/generated-images/batch", body);
      for (const one of answer.results) if (one.status >= 300) failed.set(one.id, one.detail ?? "");
    }
    const done = ids.filter((id) => !failed.has(id));
    if (view.value !== seen) restart();
    else if (leaves) images.value = before.filter((one) => failed.has(one.id) || !ids.includes(one.id));
    else mark(action, done);
    report(action, done, [...failed.values()]);
    return failed.size === 0;
  } catch (error) {
    if (view.value === seen) images.value = before;
    tell(words(error), { bad: true });
    return false;
  } finally {
    working.value = null;
  }
}

/** Does something to everything that is listed, loaded or not: a job. */
export async function actOnAll(action: Action): Promise<void> {
  const { dataset_id, status, favorite: marked } = address.value;
  const { from, to } = asked(address.value);
  const whole = (day: unknown) => (typeof day === "string" ? `${day}T00:00:00Z` : undefined);
  const filter = { dataset_id, status, favorite: marked ? true : undefined, from: whole(from), to: whole(to) };
  working.value = LABELS[action].doing;
  try {
    const begun = await post<Job>("/ai/generated-images/batch", { action, filter });
    await followed(begun, ({ progress }) => (working.value = `${LABELS[action].doing}: ${progressed(progress)}`));
    tell(`All of it is ${LABELS[action].done}.`);
  } catch (error) {
    tell(words(error), { bad: true });
  } finally {
    working.value = null;
    restart();
  }
}

const progressed = (progress: Job["progress"]): string =>
  Object.entries(progress).map(([what, number]) => `${count(number)} ${what.replaceAll("_", " ")}`).join(", ");

const LABELS: Record<Action, { doing: string; done: string; undo: Action }> = {
  delete: { doing: "Throwing away", done: "in the trash", undo: "restore" },
  restore: { doing: "Bringing back", done: "brought back", undo: "delete" },
  favorite: { doing: "Marking", done: "marked", undo: "unfavorite" },
  unfavorite: { doing: "Unmarking", done: "unmarked", undo: "favorite" },
};

function mark(action: Action, ids: string[]): void {
  if (action !== "favorite" && action !== "unfavorite") return;
  const on = action === "favorite";
  if (!on && address.value.favorite) drop(...ids);
  else images.value = images.value.map((one) => (ids.includes(one.id) ? { ...one, favorite: on } : one));
}

function report(action: Action, done: string[], reasons: string[]): void {
  if (reasons.length) tell(`${plural(reasons.length, "image")} could not be ${LABELS[action].done}: ${reasons[0]}`, { bad: true });
  if (!done.length) return;
  const undo = async () => {
    await act(LABELS[action].undo, done);
    if (action === "delete" || action === "restore") restart();
  };
  tell(`${plural(done.length, "image")} ${LABELS[action].done}.`, { act: { label: "Undo", run: () => void undo() } });
}
