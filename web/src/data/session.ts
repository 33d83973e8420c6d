// Who is signed in: nobody, the holder of a pasted token, or a user of the issuer. All of it ends with the tab.
import { batch, signal } from "@preact/signals";
import { fetchConfig } from "./config";
import { tell } from "./toasts";

export interface Session {
  token: string;
  refresh: string | null;
  identity: string | null;
  expires: number;
  name: string;
  admin: boolean;
}

const KEPT = "session";

export const session = signal<Session | null>(read());
/** Another number for another caller. One follows another only by way of nobody; a renewed token is no other caller. */
export const caller = signal(0);

/** The token to send, renewed when it is about to expire; null for an anonymous caller. */
export async function bearer(): Promise<string | null> {
  const held = session.value;
  if (!held) return null;
  if (held.expires - Date.now() > 30_000) return held.token;
  if (held.refresh) {
    const { renewed } = await import("./oidc");
    const fresh = await renewed(held.refresh).catch(() => null);
    if (fresh) keep(fresh);
    else refused();
  } else {
    refused();
  }
  return session.value?.token ?? null;
}

/** The token does not count any more. */
export function refused(): void {
  if (!session.value) return;
  keep(null);
  tell("You have been signed out, because your token is not valid any more.", { bad: true });
}

export function keep(next: Session | null): void {
  if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
  batch(() => {
    if (!next !== !session.peek()) caller.value = caller.peek() + 1;
    session.value = next;
  });
}

/** Signs in with a token from anywhere. Throws an Error that says what is wrong with it. */
export function paste(text: string): void {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  keep(described(token));
}

/** What a token says of its bearer. It is the API that verifies it; this is for show. */
export function described(token: string, identity: string | null = null, refresh: string | null = null): Session {
  const claims = { ...claimsOf(token), ...(identity ? claimsOf(identity) : {}) };
  const groups = [claims["cognito:groups"], claims.groups].flat();
  const expires = Number(claimsOf(token).exp) * 1000;
  if (!(expires > Date.now())) throw new Error("This token has expired. Get a fresh one.");
  const name = [claims.email, claims.name, claims.preferred_username, claims.username, claims.sub].find(
    (one) => typeof one === "string" && one,
  );
  return { token, refresh, identity, expires, name: String(name ?? "somebody"), admin: groups.includes("admin") };
}

export function claimsOf(token: string): Record<string, unknown> {
  try {
    const part = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    throw new Error("This is not a token. It should look like eyJ….eyJ….…");
  }
}

export async function signOut(): Promise<void> {
  const held = session.value;
  keep(null);
  if (!held?.identity) return;
  const config = await fetchConfig();
  const { endSession } = await import("./oidc");
  const address = await endSession(config, held.identity).catch(() => null);
  if (address) location.assign(address);
}

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Session | null;
  } catch {
    return null;
  }
}
