// Signing in: at the issuer, or with a token from anywhere.
import { LogIn } from "lucide-preact";
import { useEffect, useState } from "preact/hooks";
import { words } from "../data/api";
import { fetchConfig } from "../data/config";
import { paste } from "../data/session";

interface Props {
  /** Whether the page has to stay as it is: the issuer is then shown in a window of its own. */
  beside?: boolean;
  onDone: () => void;
}

export function SignIn({ beside = false, onDone }: Props) {
  const [issuer, setIssuer] = useState("");
  const [fault, setFault] = useState("");
  useEffect(() => {
    fetchConfig().then((config) => config.client_id && setIssuer(new URL(config.issuer).host), () => undefined);
  }, []);
  const attempt = async (work: () => Promise<void>, prefix = "") => {
    setFault("");
    try {
      await work();
      onDone();
    } catch (error) {
      setFault(prefix + words(error));
    }
  };
  const atIssuer = () => {
    const window = beside ? open("", "_blank", "popup,width=520,height=720") : null;
    void attempt(async () => {
      const { signIn, signInBeside } = await import("../data/oidc");
      if (!window) return signIn();
      await signInBeside(window).catch((error: unknown) => {
        window.close();
        throw error;
      });
    }, "Sign-in did not complete: ");
  };
  const withToken = (event: SubmitEvent) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget as HTMLFormElement).get("token"));
    void attempt(() => paste(token));
  };
  return (
    <>
      {issuer && (
        <button type="button" class="button primary wide" onClick={atIssuer}>
          <LogIn size={16} /> Sign in with your account
        </button>
      )}
      <form onSubmit={withToken}>
        <label class="field">
          <span>{issuer ? "Or with a token" : "With a token"}</span>
          <textarea name="token" rows={3} required spellcheck={false} autocomplete="off" placeholder="eyJ…" />
        </label>
        {fault && <p class="fault" role="alert">{fault}</p>}
        <button type="submit" class="button wide">Use this token</button>
      </form>
    </>
  );
}
