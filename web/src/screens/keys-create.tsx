// Making a virtual key. Its text is shown once, here, and nowhere else.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure, post } from "../api";
import type { MadeKey } from "../types";

const DAY_MS = 86_400_000;

interface Wanted {
  name?: string;
  team?: string;
  models: string[];
  tags: Record<string, string>;
  expires_ms?: number;
}

/** What somebody typed, as the API wants it; or what is wrong with it. */
export function wantedOf(fields: { name: string; team: string; models: string; tags: string; days: string }, now: number): Wanted | string {
  const parts = (text: string): string[] => text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const tags: Record<string, string> = {};
  for (const part of parts(fields.tags)) {
    const at = part.indexOf("=");
    if (at < 1) return `“${part}” is no tag: write name=value, and commas between tags.`;
    tags[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  }
  const days = fields.days.trim() === "" ? null : Number(fields.days);
  if (days !== null && !(0 < days && Number.isFinite(days))) return "The days until it expires must be a number above 0; leave them empty for a key that lasts.";
  const [name, team] = [fields.name.trim(), fields.team.trim()];
  return {
    models: parts(fields.models), tags,
    ...(name !== "" && { name }),
    ...(team !== "" && { team }),
    ...(days !== null && { expires_ms: Math.round(now + days * DAY_MS) }),
  };
}

const EMPTY = { name: "", team: "", models: "", tags: "", days: "" };

export function CreateKey({ isFirst, made }: { isFirst: boolean; made: () => void }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const [fields, setFields] = useState(EMPTY);
  const [isSending, setSending] = useState(false);
  const [why, setWhy] = useState("");
  const [key, setKey] = useState<MadeKey | null>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => { if (isOpen) first.current?.focus(); }, [isOpen]);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const wanted = wantedOf(fields, Date.now());
    if (typeof wanted === "string") return setWhy(wanted);
    setSending(true);
    setWhy("");
    try {
      setKey(await post<MadeKey>("keys", wanted));
      setFields(EMPTY);
      setOpen(false);
      made();
    } catch (error) {
      setWhy(error instanceof Failure ? error.message : String(error));
    }
    setSending(false);
  };
  const field = (name: keyof typeof EMPTY, label: string, hint: string): JSX.Element => (
    <label>
      {label}
      <input
        {...(name === "name" && { ref: first })} type="text" value={fields[name]} placeholder={hint} autocomplete="off" maxLength={1024}
        onInput={(event) => setFields({ ...fields, [name]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <>
      {key && <Shown made={key} done={() => setKey(null)} />}
      {!isOpen && !key && <div class="inline"><button type="button" onClick={() => setOpen(true)}>Make a key…</button></div>}
      {isOpen && (
        <form class="panel inline create" onSubmit={(event) => void send(event)} aria-label="A new key">
          {field("name", "Name", "nightly evaluation")}
          {field("team", "Team", "search")}
          {field("models", "Models", "all, or gpt-6-*, claude-*")}
          {field("tags", "Tags", "stage=test, feature=ask")}
          {field("days", "Expires in days", "never")}
          <div class="inline">
            <button type="submit" class="primary" disabled={isSending}>{isSending ? "Making it…" : "Make the key"}</button>
            <button type="button" disabled={isSending} onClick={() => setOpen(false)}>Cancel</button>
          </div>
          {isFirst && <p class="warn whole"><strong class="warn">This is the first key.</strong> From then on every call needs one: calls without are refused at once.</p>}
          {why !== "" && <p class="bad whole" role="alert">No key was made. {why}</p>}
        </form>
      )}
    </>
  );
}

function Shown({ made, done }: { made: MadeKey; done: () => void }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(made.key);
    setCopied(true);
  };
  return (
    <section class="notice good" aria-labelledby="made">
      <h2 id="made" ref={heading} tabIndex={-1}>Key {made.name ?? made.id} is made</h2>
      <p>Its text is shown this once and kept nowhere. Copy it now, and give it to its owner in place of a provider’s key.</p>
      <div class="exports">
        <pre tabIndex={0} aria-label="The key's text"><code>{made.key}</code></pre>
        <button type="button" onClick={() => void copy()}>Copy</button>
        <span role="status" class="quiet">{copied && "Copied"}</span>
      </div>
      <button type="button" onClick={done}>I have it</button>
    </section>
  );
}
