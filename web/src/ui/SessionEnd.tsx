// The end of a session: it covers the page until its person signs in again, or somebody continues without an account.
import { UserX } from "lucide-preact";
import { useState } from "preact/hooks";
import { draft, EMPTY } from "../data/draft";
import { continueAnonymously, ended, session } from "../data/session";
import { Dialog } from "./Dialog";
import { SignIn } from "./SignIn";

export const SessionEnd = () => (ended.value ? <Cover /> : null);

function Cover() {
  const [keeps, setKeeps] = useState(false);
  const { prompt } = draft.value;
  const leave = () => {
    continueAnonymously();
    if (keeps) draft.value = { ...EMPTY, prompt };
  };
  return (
    <Dialog label="Your session has ended" kind="small cover">
      <h2 tabIndex={-1} autofocus>Your session has ended</h2>
      <p>
        Sign in again, or continue without an account. If you sign in again as <b>{session.value?.name}</b>, you continue
        where you were.
      </p>
      <div class="account">
        <SignIn beside onDone={() => undefined} />
      </div>
      <section class="account" aria-label="Continue without an account">
        <p class="note">Without an account, you see only images that belong to no account, and the images you generate are public.</p>
        {prompt.trim() && (
          <label class="check">
            <input type="checkbox" checked={keeps} onChange={(event) => setKeeps(event.currentTarget.checked)} />
            <span>Keep the prompt that I typed</span>
          </label>
        )}
        <button type="button" class="button wide" onClick={leave}>
          <UserX size={16} /> Continue without an account
        </button>
      </section>
    </Dialog>
  );
}
