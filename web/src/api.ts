// The control API: one way to ask, and what went wrong in words.

const TOKEN = "scrimp-control-token";

/** What went wrong, and whether a control token would help. */
export class Failure extends Error {
  readonly needsToken: boolean;
  constructor(message: string, needsToken = false) {
    super(message);
    this.needsToken = needsToken;
  }
}

/** Keeps the control token for as long as the tab lives. */
export function rememberToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

function headers(): Record<string, string> {
  // A page of another origin cannot send this header without being asked first, and is refused then.
  return { accept: "application/json", "x-scrimp-control": sessionStorage.getItem(TOKEN) ?? "1" };
}

/** Opens a path below `api/v1`. Relative, so that it works behind a prefix. */
export async function open(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`api/v1/${path}`, { ...init, headers: { ...headers(), ...init.headers } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure("The gateway does not answer. Is it still running?");
  }
  if (response.ok) return response;
  throw await refused(response);
}

async function refused(response: Response): Promise<Failure> {
  const said = saidIn((await response.text()).slice(0, 2000));
  if (response.status === 401 || response.status === 403) {
    return new Failure(said === "" ? "This gateway asks for its control token." : said, true);
  }
  const status = `The gateway answered ${response.status}`;
  return new Failure(said === "" ? `${status}.` : `${status}: ${said}`);
}

/** The message in an error's body, JSON or not. */
export function saidIn(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    const error = field(value, "error") ?? value;
    const message = typeof error === "string" ? error : field(error, "message");
    return typeof message === "string" ? message : "";
  } catch {
    return body.startsWith("<") ? "" : body.trim();
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Asks for JSON. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await open(path, signal ? { signal } : {});
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure("The gateway's answer is not JSON.");
  }
}

/** Has something done. */
export async function post<T>(path: string, body: unknown): Promise<T> {
  return postJson<T>(path, JSON.stringify(body));
}

/** The same, of what is JSON already. */
export async function postJson<T>(path: string, body: string): Promise<T> {
  const init = { method: "POST", body, headers: { "content-type": "application/json" } };
  return (await (await open(path, init)).json()) as T;
}

/** Has something taken away. */
export async function remove(path: string): Promise<void> {
  await open(path, { method: "DELETE" });
}
