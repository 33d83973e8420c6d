// Who is signed in: nobody, the holder of a pasted token, or a user of the issuer. All of it ends with the tab.
import { batch, effect, signal, untracked } from "@preact/signals";
import { fetchConfig } from "./config";

export interface Session {
  token: string;
  refresh: string | null;
  identity: string | null;
  expires: number;
  name: string;
  admin: boolean;
}

/** A request of a caller who has been followed by another: its answer is not for the one who is here now. */
export class CallerChanged extends Error {}

/** The network is away. */
export class Unreachable extends Error {
  constructor() {
    super("The service cannot be reached. Are you online?");
  }
}

const KEPT = "session";
const ASK = "ask-before-public";
const RENEWED_EARLY = 30_000; // milliseconds before a token that can be renewed expires
const LONGEST_TIMER = 2 ** 31 - 1;

export const session = signal<Session | null>(read());
/** A different number for each caller in turn. A renewed token, or the same person signing in again, changes nothing. */
export const caller = signal(0);
/** Whether the session has ended: the caller stays the same until they sign in again or continue without an account. */
export const ended = signal(false);

const tabs = new BroadcastChannel("session");
const waiting: (() => void)[] = [];
let renewal: Promise<void> | null = null;

/** Notices the end of a session while nothing is sent, and takes over what another tab of the same person renewed. */
export function follow(): void {
  let timer = 0;
  const look = () => void (!ended.peek() && bearer().catch(() => undefined));
  effect(() => {
    clearTimeout(timer);
    const left = (session.value?.expires ?? Infinity) - Date.now();
    if (!ended.value && left < Infinity) timer = setTimeout(look, Math.min(Math.max(0, left) + 50, LONGEST_TIMER));
  });
  document.addEventListener("visibilitychange", look);
  tabs.onmessage = ({ data }: MessageEvent<Session>) => {
    const held = session.peek();
    if (held && personOf(held) === personOf(data) && data.expires > held.expires) adopt(data);
  };
}

/** Runs `react` whenever another caller follows, with whether that one was signed in who is gone. */
export function onCallerChange(react: (hasLeft: boolean) => void): void {
  let [before, last] = [caller.peek(), session.peek()];
  effect(() => {
    const [now, next] = [caller.value, session.value];
    if (now !== before) untracked(() => batch(() => react(last !== null)));
    [before, last] = [now, next];
  });
}

/**
 * The token to send, renewed when it is about to expire; null for an anonymous caller. Waits while the session has
 * ended. Throws CallerChanged when somebody else than `who` goes on from there, and Unreachable.
 */
export async function bearer(who = caller.peek()): Promise<string | null> {
  for (;;) {
    if (caller.peek() !== who) throw new CallerChanged();
    const held = session.peek();
    if (!held) return null;
    if (ended.peek()) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else if (held.expires - Date.now() > (held.refresh ? RENEWED_EARLY : 0)) {
      return held.token;
    } else {
      await renew().catch((error: unknown) => {
        if (held.expires <= Date.now()) throw error;
      });
      if (!ended.peek() && caller.peek() === who) return session.peek()!.token;
    }
  }
}

/** The API has refused this token: it is renewed, or the session has ended. Throws Unreachable. */
export async function refused(token: string, again: boolean): Promise<void> {
  if (session.peek()?.token !== token || ended.peek()) return;
  if (again) ended.value = true;
  else await renew();
}

/** Renews the token once, however many requests need it, or ends the session. Throws Unreachable. */
function renew(): Promise<void> {
  renewal ??= renewOnce().finally(() => (renewal = null));
  return renewal;
}

async function renewOnce(): Promise<void> {
  const held = session.peek();
  try {
    if (!held?.refresh) throw new Error("This session cannot be renewed.");
    const { renewed } = await import("./oidc");
    const fresh = await renewed(held.refresh);
    if (session.peek() === held) keep(fresh);
  } catch (error) {
    if (error instanceof TypeError) throw new Unreachable(); // what fetch and import throw without a network
    if (session.peek() === held) ended.value = held !== null;
  }
}

/** Makes this the session of this tab, and of the other tabs of the same person. */
export function keep(next: Session | null): void {
  adopt(next);
  if (next) tabs.postMessage(next);
}

function adopt(next: Session | null): void {
  if (next) {
    sessionStorage.setItem(KEPT, JSON.stringify(next));
    sessionStorage.removeItem(ASK);
  } else {
    sessionStorage.removeItem(KEPT);
  }
  batch(() => {
    if (personOf(next) !== personOf(session.peek())) caller.value = caller.peek() + 1;
    session.value = next;
    ended.value = false;
  });
  for (const resume of waiting.splice(0)) resume();
}

/** Whose session it is, whichever of their tokens it holds. */
export function personOf(of: Session | null): string | null {
  if (!of) return null;
  try {
    const { iss, sub } = claimsOf(of.token);
    return JSON.stringify([iss, sub]);
  } catch {
    return of.token;
  }
}

/** Signs in with a token from anywhere, once the API has accepted it. Throws an Error that says what is wrong with it. */
export async function paste(text: string): Promise<void> {
  const next = described(text.trim().replace(/^Bearer\s+/i, ""));
  const answer = await fetch("/ai/usage", { headers: { authorization: `Bearer ${next.token}` } }).catch(() => {
    throw new Unreachable();
  });
  if (answer.status === 401) throw new Error("The service does not accept this token. Get a new one.");
  keep(next);
}

/** What a token says of its bearer. It is the API that verifies it; this is for show. */
export function described(token: string, identity: string | null = null, refresh: string | null = null): Session {
  const claims = { ...claimsOf(token), ...(identity ? claimsOf(identity) : {}) };
  const groups = [claims["cognito:groups"], claims.groups].flat();
  const expires = Number(claimsOf(token).exp) * 1000;
  if (!(expires > Date.now())) throw new Error("This token has expired. Get a new one.");
  const name = [claims.email, claims.name, claims.preferred_username, claims.username, claims.sub].find(
    (one) => typeof one === "string" && one,
  );
  return { token, refresh, identity, expires, name: String(name ?? "unknown user"), admin: groups.includes("admin") };
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

/** Continues without an account after a session has ended: what is made next is public, so it takes a yes. */
export function continueAnonymously(): void {
  sessionStorage.setItem(ASK, "yes");
  keep(null);
}

/** Whether an image or a dataset may be made by this caller: without an account, the first one after a session takes a yes. */
export function mayPublish(what: "image" | "dataset"): boolean {
  if (session.peek() || !sessionStorage.getItem(ASK)) return true;
  const question = `You are not signed in. This ${what} will be public, and only an administrator can remove it. Create it?`;
  if (!confirm(question)) return false;
  sessionStorage.removeItem(ASK);
  return true;
}

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Session | null;
  } catch {
    return null;
  }
}
