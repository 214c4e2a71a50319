// Server-sent events over fetch. Not `EventSource`: that cannot send the control token.

import { open } from "./api";

export interface Message {
  event: string;
  data: string;
}

/** Takes text cut anywhere and gives the messages that it completes. */
export function splitter(): (text: string) => Message[] {
  let rest = "";
  let event = "";
  let data: string[] = [];
  const line = (text: string, out: Message[]): void => {
    if (text === "") {
      if (0 < data.length) out.push({ event: event === "" ? "message" : event, data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    if (name === "data") data.push(value);
  };
  return (text) => {
    const out: Message[] = [];
    rest += text;
    // A carriage return at the end may be half of a line break: it waits for what follows.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const each of lines) line(each, out);
    return out;
  };
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** Follows a stream until `signal` aborts, and begins again when it breaks. */
export async function follow(
  path: string,
  signal: AbortSignal,
  seen: (message: Message) => void,
  connected: (yes: boolean) => void,
): Promise<void> {
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      const response = await open(path, { signal, headers: { accept: "text/event-stream" } });
      connected(true);
      wait = FIRST_WAIT_MS;
      await read(response, seen);
    } catch {
      // Nothing to tell apart: whatever broke it, the next try shows whether it still does.
    }
    if (signal.aborted) return;
    connected(false);
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function read(response: Response, seen: (message: Message) => void): Promise<void> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  const split = splitter();
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) return;
    split(decoder.decode(part.value, { stream: true })).forEach(seen);
  }
}
