// Asks the API for something, again and again while the page is seen, and keeps the last answer
// when a later question fails: old figures with a warning beat none.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Failure, get } from "./api";

export interface Loaded<T> {
  value: T | null;
  failure: Failure | null;
  /** When `value` came. */
  at: number | null;
  again: () => void;
}

/** `every` in ms; null asks once. A new `path` forgets the old answer. */
export function useLoad<T>(path: string, every: number | null): Loaded<T> {
  const [state, setState] = useState<{ path: string; value: T | null; failure: Failure | null; at: number | null }>(
    { path, value: null, failure: null, at: null },
  );
  const [turn, setTurn] = useState(0);
  const busy = useRef(false);
  useEffect(() => {
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      if (busy.current) return;
      busy.current = true;
      try {
        const value = await get<T>(path, stop.signal);
        setState({ path, value, failure: null, at: Date.now() });
      } catch (error) {
        if (stop.signal.aborted) return;
        const failure = error instanceof Failure ? error : new Failure(String(error));
        setState((old) => (old.path === path ? { ...old, failure } : { path, value: null, failure, at: null }));
      } finally {
        if (!stop.signal.aborted) busy.current = false;
      }
    };
    busy.current = false;
    void ask();
    const timer = every === null ? undefined : setInterval(() => void (document.hidden || ask()), every);
    const back = (): void => void (document.hidden || every === null || ask());
    document.addEventListener("visibilitychange", back);
    return () => {
      stop.abort();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", back);
    };
  }, [path, every, turn]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const current = state.path === path;
  return {
    value: current ? state.value : null,
    failure: current ? state.failure : null,
    at: current ? state.at : null,
    again,
  };
}
