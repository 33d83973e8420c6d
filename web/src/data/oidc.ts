// Signing in at the issuer: OpenID Connect's code flow with PKCE. Loaded only by those who do.
import * as oauth from "oauth4webapi";
import { fetchConfig, type Config } from "./config";
import { claimsOf, described, keep, type Session } from "./session";

interface Attempt {
  verifier: string;
  state: string;
  nonce: string;
  back: string;
}

const KEPT = "signing-in";
const BESIDE = "beside."; // how the state of a sign-in in its own window begins
const CALLBACK = `${location.origin}/`;
const publicClient = oauth.None();

/** Leaves for the issuer; it sends the user back to `/` with a code. */
export async function signIn(): Promise<void> {
  const { attempt, address } = await begun("");
  sessionStorage.setItem(KEPT, JSON.stringify(attempt));
  location.assign(address);
}

/** Signs in through a window of its own, so that this page stays as it is. Settles when that window has come back. */
export async function signInBeside(window: Window): Promise<void> {
  const { attempt, address } = await begun(BESIDE);
  const returned = new BroadcastChannel(KEPT);
  window.location.assign(address);
  await new Promise<void>((resolve, reject) => {
    returned.onmessage = ({ data }: MessageEvent<string>) => {
      if (new URL(data).searchParams.get("state") !== attempt.state) return; // another tab's
      returned.close();
      exchanged(attempt, data).then(keep).then(resolve, reject);
    };
  });
}

/** Hands what the issuer sent to the page that opened this window; false where this is no such window. */
export function handedOver(address: URL): boolean {
  if (!address.searchParams.get("state")?.startsWith(BESIDE)) return false;
  new BroadcastChannel(KEPT).postMessage(address.href);
  close();
  return true;
}

/** Comes back from the issuer: keeps the session, and says where the user was. Throws when the issuer said no. */
export async function completed(): Promise<string> {
  const attempt = JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Attempt | null;
  sessionStorage.removeItem(KEPT);
  if (!attempt) throw new Error("This sign-in was not started in this tab. Please sign in again.");
  keep(await exchanged(attempt, location.href));
  return attempt.back;
}

async function begun(prefix: string): Promise<{ attempt: Attempt; address: URL }> {
  const config = await fetchConfig();
  const server = await discovered(config);
  const attempt: Attempt = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: prefix + oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    back: location.pathname + location.search,
  };
  const address = new URL(server.authorization_endpoint!);
  const asked = {
    client_id: config.client_id,
    response_type: "code",
    redirect_uri: CALLBACK,
    scope: "openid email",
    code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
    code_challenge_method: "S256",
    state: attempt.state,
    nonce: attempt.nonce,
    ...(config.audience !== config.client_id && { audience: config.audience }),
  };
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
  return { attempt, address };
}

/** The session for the code in the address that the issuer sent the user to. */
async function exchanged(attempt: Attempt, returned: string): Promise<Session> {
  const config = await fetchConfig();
  const server = await discovered(config);
  const client = { client_id: config.client_id };
  const callback = oauth.validateAuthResponse(server, client, new URL(returned), attempt.state);
  const options = loopback(server.token_endpoint!);
  const answer = await oauth.authorizationCodeGrantRequest(
    server, client, publicClient, callback, CALLBACK, attempt.verifier, options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    expectedNonce: attempt.nonce,
    requireIdToken: true,
  });
  return chosen(tokens, config, tokens.refresh_token ?? null);
}

/** A session for a refresh token. */
export async function renewed(refresh: string): Promise<Session> {
  const config = await fetchConfig();
  const server = await discovered(config);
  const client = { client_id: config.client_id };
  const options = loopback(server.token_endpoint!);
  const answer = await oauth.refreshTokenGrantRequest(server, client, publicClient, refresh, options);
  const tokens = await oauth.processRefreshTokenResponse(server, client, answer);
  return chosen(tokens, config, tokens.refresh_token ?? refresh);
}

/** Where the issuer ends its own session, if it can. Cognito has its own names for the same two parameters. */
export async function endSession(config: Config, identity: string): Promise<string | null> {
  const { end_session_endpoint: end } = await discovered(config);
  if (!end) return null;
  const address = new URL(end);
  const told = {
    client_id: config.client_id,
    id_token_hint: identity,
    post_logout_redirect_uri: CALLBACK,
    logout_uri: CALLBACK,
  };
  for (const [name, value] of Object.entries(told)) address.searchParams.set(name, value);
  return address.href;
}

async function discovered(config: Config): Promise<oauth.AuthorizationServer> {
  const answer = await fetch(config.discovery, { headers: { accept: "application/json" } });
  return oauth.processDiscoveryResponse(new URL(config.issuer), answer);
}

/** The access token if the API takes it, else the ID token, which names the client as its audience. */
function chosen(tokens: oauth.TokenEndpointResponse, config: Config, refresh: string | null): Session {
  const identity = tokens.id_token ?? null;
  const takes = [audiences(tokens.access_token), identity ? audiences(identity) : []].map((named) =>
    named.includes(config.audience),
  );
  const token = takes[0] || !takes[1] || !identity ? tokens.access_token : identity;
  return described(token, identity, refresh);
}

function audiences(token: string): unknown[] {
  try {
    const claims = claimsOf(token);
    return [claims.aud ?? claims.client_id].flat();
  } catch {
    return [];
  }
}

function loopback(address: string): { [oauth.allowInsecureRequests]?: true } {
  const { protocol, hostname } = new URL(address);
  const here = protocol === "http:" && ["localhost", "127.0.0.1"].includes(hostname);
  return here ? { [oauth.allowInsecureRequests]: true } : {};
}
