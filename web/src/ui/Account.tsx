// Signing in and out: at the issuer, or with a token from anywhere.
import { CircleUser, LogIn, LogOut, UserX } from "lucide-preact";
import { useEffect, useState } from "preact/hooks";
import { words } from "../data/api";
import { fetchConfig } from "../data/config";
import { paste, session, signOut } from "../data/session";
import { tell } from "../data/toasts";
import { erase, Erasure } from "./Erasure";
import { Menu } from "./Menu";

export function Account() {
  return (
    <>
      <Who />
      <Erasure />
    </>
  );
}

function Who() {
  const who = session.value;
  if (!who) {
    return (
      <Menu label="Sign in" kind="button quiet" button={<span>Sign in</span>}>
        {(close) => <SignIn close={close} />}
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

function SignIn({ close }: { close: () => void }) {
  const [issuer, setIssuer] = useState("");
  const [fault, setFault] = useState("");
  useEffect(() => {
    fetchConfig().then((config) => config.client_id && setIssuer(new URL(config.issuer).host), () => undefined);
  }, []);
  const leave = async () => {
    try {
      await (await import("../data/oidc")).signIn();
    } catch (error) {
      setFault(`${issuer} cannot be reached: ${words(error)}`);
    }
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    try {
      paste(String(new FormData(event.currentTarget as HTMLFormElement).get("token")));
      close();
      tell("You are signed in.");
    } catch (error) {
      setFault(words(error));
    }
  };
  return (
    <div class="account">
      <p class="note">Without an account, you see the images that belong to nobody.</p>
      {issuer && (
        <button type="button" class="button primary wide" onClick={() => void leave()}>
          <LogIn size={16} /> Sign in with your account
        </button>
      )}
      <form onSubmit={submit}>
        <label class="field">
          <span>{issuer ? "Or with a token" : "With a token"}</span>
          <textarea name="token" rows={3} required spellcheck={false} autocomplete="off" placeholder="eyJ…" />
        </label>
        {fault && <p class="fault" role="alert">{fault}</p>}
        <button type="submit" class="button wide">Use this token</button>
      </form>
      <p class="note">It is kept in this tab only.</p>
    </div>
  );
}
