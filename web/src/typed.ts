// Fields for words that count when they are complete.

import { useState } from "preact/hooks";

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
  const [typed, setTyped] = useState({ over: value, text: value });
  return {
    value: typed.over === value ? typed.text : value,
    onInput: (event) => setTyped({ over: value, text: event.currentTarget.value }),
  };
}
