// What can be done with images that exist: each act shows at once, and is taken back if the API says no.
import { signal } from "@preact/signals";
import type { BatchRequest, BatchResult, Image } from "../schema";
import { address } from "./address";
import { call, complain, post, words } from "./api";
import { count, plural } from "./format";
import { drop, images, putBack, replace, restart, view } from "./images";
import { CallerChanged } from "./session";
import { tell } from "./toasts";

export type Action = BatchRequest["action"];

const AT_ONCE = 200;
const CONFIRM_FROM = 20; // images, more than anybody checks one by one

export const working = signal<string | null>(null);

const inTrash = (): boolean => address.value.status === "deleted";

/** Marks or unmarks one image. */
export async function favorite(image: Image, on: boolean): Promise<Image> {
  const seen = view.value;
  replace({ ...image, favorite: on });
  try {
    const { body } = await call<Image>(on ? "PUT" : "DELETE", `/ai/generated-images/${image.id}/favorite`);
    if (!on && address.value.favorite) drop([image.id]);
    else replace(body);
    if (view.value !== seen) restart();
    return body;
  } catch (error) {
    replace(image);
    complain(error);
    return image;
  }
}

/** Asks before something is done to many images, with the act and their number. */
export const confirmed = (action: Action, ids: string[]): boolean =>
  ids.length < CONFIRM_FROM || confirm(LABELS[action].question(plural(ids.length, "image")));

/** Does something to images, and offers to undo it. The ids of those to which it was not done. */
export async function act(action: Action, ids: string[]): Promise<string[]> {
  const [before, seen] = [images.value, view.value];
  const leaves = action === "delete" ? !inTrash() : action === "restore" && inTrash();
  if (leaves) drop(ids);
  const outcome = await sent(action, ids);
  if (!outcome) return ids;
  const { done, failed } = outcome;
  if (view.value !== seen) restart();
  else if (leaves) settle(before, outcome);
  else mark(action, done);
  report(action, outcome);
  return [...failed.keys()];
}

/** A page that came meanwhile may list what has left since; what has not left is listed again. */
function settle(before: Image[], { done, failed }: Outcome): void {
  drop(done);
  putBack(before.filter((one) => failed.has(one.id)), before);
}

interface Outcome {
  done: string[];
  /** Those of them that were not so before: what an undo is about. */
  changed: string[];
  /** Why the others were left as they are. */
  failed: Map<string, string>;
}

/** Sends the ids, as many as the API takes at once; null when another caller has come. */
async function sent(action: Action, ids: string[]): Promise<Outcome | null> {
  const outcome: Outcome = { done: [], changed: [], failed: new Map() };
  try {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      working.value = LABELS[action].doing + (at ? `: ${count(at)} of ${count(ids.length)}` : "…");
      const some = ids.slice(at, at + AT_ONCE);
      const answer = await post<BatchResult>("/ai/generated-images/batch", { action, ids: some } satisfies BatchRequest);
      for (const { id, status, detail, changed } of answer.results) {
        if (status >= 300) outcome.failed.set(id, detail ?? "");
        else outcome.done.push(id);
        if (changed) outcome.changed.push(id);
      }
    }
  } catch (error) {
    if (error instanceof CallerChanged) return null;
    const settled = new Set(outcome.done);
    for (const id of ids) if (!settled.has(id) && !outcome.failed.has(id)) outcome.failed.set(id, words(error));
  } finally {
    working.value = null;
  }
  return outcome;
}

const LABELS: Record<Action, { doing: string; done: string; question: (images: string) => string; undo: Action }> = {
  delete: {
    doing: "Moving to the trash",
    done: "moved to the trash",
    question: (images) => `Move ${images} to the trash?`,
    undo: "restore",
  },
  restore: { doing: "Restoring", done: "restored", question: (images) => `Restore ${images}?`, undo: "delete" },
  favorite: {
    doing: "Adding to favorites",
    done: "added to favorites",
    question: (images) => `Add ${images} to favorites?`,
    undo: "unfavorite",
  },
  unfavorite: {
    doing: "Removing from favorites",
    done: "removed from favorites",
    question: (images) => `Remove ${images} from favorites?`,
    undo: "favorite",
  },
};

function mark(action: Action, ids: string[]): void {
  if (action !== "favorite" && action !== "unfavorite") return;
  const [on, marked] = [action === "favorite", new Set(ids)];
  if (!on && address.value.favorite) drop(ids);
  else images.value = images.value.map((one) => (marked.has(one.id) ? { ...one, favorite: on } : one));
}

function report(action: Action, { done, changed, failed }: Outcome): void {
  const { done: is, undo } = LABELS[action];
  const [reason] = failed.values();
  if (reason !== undefined) tell(`${plural(failed.size, "image")} could not be ${is}: ${reason}`, { bad: true });
  if (!done.length) return;
  const run = async () => {
    await act(undo, changed);
    if (action === "delete" || action === "restore") restart();
  };
  tell(`${plural(done.length, "image")} ${is}.`, changed.length ? { act: { label: "Undo", run: () => void run() } } : {});
}
