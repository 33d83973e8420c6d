// The one way to the API: JSON in and out, errors as Problem.
import type { FieldError } from "../schema";
import { bearer, refused, session } from "./session";

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

export async function call<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const token = await bearer();
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const request: RequestInit = { method, headers };
  if (options.body !== undefined) request.body = JSON.stringify(options.body);
  if (options.signal) request.signal = options.signal;
  const answer = await fetch(path + search(options.query), request).catch((error: unknown) => {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "The service cannot be reached. Are you online?");
  });
  const body: unknown = options.as === "blob" && answer.ok ? await answer.blob() : await answer.json().catch(() => null);
  if (!answer.ok) {
    if (answer.status === 401 && token === session.value?.token) refused();
    throw problem(answer, body);
  }
  return { status: answer.status, headers: answer.headers, body: body as T };
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
