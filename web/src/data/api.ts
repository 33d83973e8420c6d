// The one way to the API: JSON in and out, errors as Problem.
import type { FieldError } from "../schema";
import { bearer, caller, CallerChanged, refused, Unreachable } from "./session";
import { tell } from "./toasts";

export type Query = Record<string, string | number | boolean | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  as?: "json" | "blob";
}

/** An answer that is an error, as the API words it. `retryAfter` is in seconds. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfter: number | null = null,
    readonly imageId: string | null = null,
  ) {
    super(detail);
  }
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/**
 * Sends a request. While the session has ended it waits, and one that was refused for its token is sent again as it was
 * when its caller has signed in again. Throws Problem, and CallerChanged when another caller follows.
 */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const who = caller.peek();
  const request: RequestInit = { method };
  if (options.body !== undefined) request.body = JSON.stringify(options.body);
  if (options.signal) request.signal = options.signal;
  for (let refusals = 0; ; refusals++) {
    const token = await online(bearer(who), options.signal);
    request.headers = {
      accept: "application/json",
      ...options.headers,
      ...(token && { authorization: `Bearer ${token}` }),
      ...(request.body !== undefined && { "content-type": "application/json" }),
    };
    const answer = await online(fetch(path + search(options.query), request), options.signal);
    const body: unknown = options.as === "blob" && answer.ok ? await answer.blob() : await answer.json().catch(() => null);
    if (caller.peek() !== who) throw new CallerChanged();
    if (answer.ok) return { status: answer.status, headers: answer.headers, body: body as T };
    if (answer.status !== 401 || !token) throw problem(answer, body);
    await online(refused(token, refusals > 0), options.signal);
  }
}

/** The network's faults as a Problem; what was aborted, and what is another caller's, stays as it is. */
async function online<T>(work: Promise<T>, stop?: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (stop?.aborted || error instanceof CallerChanged) throw error;
    throw new Problem(0, "unreachable", new Unreachable().message);
  }
}

export const get = async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  (await call<T>("GET", path, { ...(query && { query }), ...(signal && { signal }) })).body;

export const post = async <T>(path: string, body: unknown): Promise<T> => (await call<T>("POST", path, { body })).body;

/** `?a=1&b=2`, without what is empty. */
export function search(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** What to tell a person about anything that was thrown. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Tells a person what went wrong, unless it is not theirs. */
export function complain(error: unknown): void {
  if (!(error instanceof CallerChanged)) tell(words(error), { bad: true });
}

function problem(answer: Response, body: unknown): Problem {
  const said = (body ?? {}) as { code?: string; title?: string; detail?: string; errors?: FieldError[]; image_id?: string };
  const seconds = Number(answer.headers.get("retry-after"));
  return new Problem(
    answer.status,
    said.code ?? "unknown",
    said.detail || said.title || `The service answered with status ${answer.status}.`,
    said.errors ?? [],
    seconds > 0 ? seconds : null,
    said.image_id ?? null,
  );
}
