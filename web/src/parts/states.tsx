// What a screen shows when it has no figures: it waits, it failed, or there are none.

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { type Failure, rememberToken } from "../api";
import { clock } from "../format";
import type { Loaded } from "../load";

/** Shows `children` of the loaded value, or why there is none. */
export function Await<T>({ loaded, what, children }: {
  loaded: Loaded<T>;
  what: string;
  children: (value: T) => ComponentChildren;
}): JSX.Element {
  const { value, failure, at, again } = loaded;
  return (
    <>
      {failure && <Broken failure={failure} what={what} since={at} again={again} />}
      {value === null && !failure && <p class="quiet waiting" role="status">Asking for {what}…</p>}
      {value !== null && children(value)}
    </>
  );
}

function Broken({ failure, what, since, again }: {
  failure: Failure;
  what: string;
  since: number | null;
  again: () => void;
}): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>Could not load {what}.</strong> {failure.message}
        {since !== null && ` What you see is from ${clock(since)}.`}
      </p>
      {failure.needsToken && <TokenForm again={again} />}
      <button type="button" onClick={again}>Try again</button>
    </div>
  );
}

function TokenForm({ again }: { again: () => void }): JSX.Element {
  const [token, setToken] = useState("");
  const keep = (event: Event): void => {
    event.preventDefault();
    rememberToken(token);
    again();
  };
  return (
    <form class="inline" onSubmit={keep}>
      <label>
        Control token
        <input
          type="password"
          autocomplete="off"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Use for this tab</button>
    </form>
  );
}

/** For newcomers: how to send the first call through here. */
export function Welcome({ heading = "No calls yet" }: { heading?: string }): JSX.Element {
  return (
    <section class="welcome" aria-labelledby="welcome">
      <h2 id="welcome">{heading}</h2>
      <p>Point an SDK at this gateway. Two lines in the shell that runs your application:</p>
      <Exports />
      <p class="quiet">
        Keys stay where they are: each call goes on with the caller’s own. Nothing is edited, cached or
        retried, and the text of prompts is not stored. The first call appears here by itself.
      </p>
      <p class="quiet">
        From logs that you have: <code>scrimp analyze FOLDER</code>. To look around
        first: <code>scrimp demo</code>.
      </p>
    </section>
  );
}

function Exports(): JSX.Element {
  const base = location.origin;
  const lines = `export OPENAI_BASE_URL=${base}/v1\nexport ANTHROPIC_BASE_URL=${base}`;
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(lines);
    setCopied(true);
  };
  return (
    <div class="exports">
      <pre tabIndex={0} aria-label="Shell commands"><code>{lines}</code></pre>
      <button type="button" onClick={() => void copy()}>Copy</button>
      <span role="status" class="quiet">{copied && "Copied"}</span>
    </div>
  );
}
