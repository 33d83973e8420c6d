// Who is signed in, and what they can do with their account.
import { CircleUser, LogOut, UserX } from "lucide-preact";
import { session, signOut } from "../data/session";
import { tell } from "../data/toasts";
import { erase, Erasure } from "./Erasure";
import { Menu } from "./Menu";
import { SessionEnd } from "./SessionEnd";
import { SignIn } from "./SignIn";

export function Account() {
  return (
    <>
      <Who />
      <Erasure />
      <SessionEnd />
    </>
  );
}

function Who() {
  const who = session.value;
  if (!who) {
    return (
      <Menu label="Sign in" kind="button quiet" button={<span>Sign in</span>}>
        {(close) => <Anonymous close={close} />}
      </Menu>
    );
  }
  return (
    <Menu label={`Account of ${who.name}`} button={<CircleUser size={20} />}>
      {(close) => (
        <div class="account">
          <p class="who">{who.name}</p>
          {who.admin && <p class="note">An admin: sees everybody's images.</p>}
          <button
            type="button"
            class="button wide"
            onClick={() => {
              close();
              void signOut();
            }}
          >
            <LogOut size={16} /> Sign out
          </button>
          <button
            type="button"
            class="button quiet danger wide"
            onClick={() => {
              close();
              void erase();
            }}
          >
            <UserX size={16} /> Delete all that is mine
          </button>
        </div>
      )}
    </Menu>
  );
}

function Anonymous({ close }: { close: () => void }) {
  const done = () => {
    close();
    tell("You are signed in.");
  };
  return (
    <div class="account">
      <p class="note">Without an account, you see the images that belong to no account.</p>
      <SignIn onDone={done} />
      <p class="note">A session stays in this tab only.</p>
    </div>
  );
}
