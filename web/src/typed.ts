// Fields for words that count when they are complete.

import { useRef } from "preact/hooks";

/** A field's text, and what hears of changes to it. */
export interface Typed {
  value: string;
  onInput: (event: { currentTarget: HTMLInputElement }) => void;
}

/**
 * Keeps what is being typed until other words count (`value`). A screen is drawn anew whenever
 * something comes in, and would put the words that count now in its place.
 */
export function useTyped(value: string): Typed {
  const typed = useRef({ over: value, text: value });
  if (typed.current.over !== value) typed.current = { over: value, text: value };
  const onInput: Typed["onInput"] = (event) => {
    typed.current.text = event.currentTarget.value;
  };
  return { value: typed.current.text, onInput };
}
