// The end of an account: a dialog that stays until it has been read, with the receipt.
import { signal } from "@preact/signals";
import { words } from "../data/api";
import { count } from "../data/format";
import { followed, started } from "../data/jobs";
import { CallerChanged, onCallerChange, signOut } from "../data/session";
import type { Job } from "../schema";
import { Dialog } from "./Dialog";

interface Erased {
  job: Job | null;
  fault: string;
}

const erased = signal<Erased | null>(null);
onCallerChange(() => (erased.value = null));

/** Everything of this user goes: images, datasets, favorites. */
export async function erase(): Promise<void> {
  if (!confirm("Delete all your images and datasets, for good? Nobody can bring them back.")) return;
  let job: Job | null = null;
  const show = (more: Partial<Erased>) => (erased.value = { job, fault: "", ...more });
  show({});
  try {
    job = await started("DELETE", "/ai/users/me");
    show({});
    job = await followed(job);
    show({});
  } catch (error) {
    if (!(error instanceof CallerChanged)) show({ fault: words(error) });
  }
}

/** Closed while the job runs, it comes back at the end. */
export function Erasure() {
  if (!erased.value) return null;
  const { job, fault } = erased.value;
  const done = job?.status === "succeeded";
  const gone = Object.values(job?.receipt?.counts ?? {}).reduce((sum, one) => sum + one, 0);
  const close = () => {
    erased.value = null;
    if (done) void signOut();
  };
  return (
    <Dialog label="Deletion of your account" kind="small" onClose={close}>
      <h2>{done ? "All that was yours is deleted" : "All that is yours is being deleted"}</h2>
      <div class="told" role={fault ? "alert" : "status"}>
        {fault ? (
          <p class="fault">{fault}</p>
        ) : done ? (
          <p>{count(gone)} things are gone for good. You are signed out when you close this.</p>
        ) : (
          <p>This takes some minutes. It goes on when you close this, and when you leave the page.</p>
        )}
        {job && <p class="note">Receipt: <code>{job.id}</code></p>}
      </div>
      {!done && !fault && <progress aria-label="Deleting" />}
      <div class="row">
        <span class="push" />
        <button type="button" class="button primary" onClick={close}>{done ? "Sign out" : "Close"}</button>
      </div>
    </Dialog>
  );
}
