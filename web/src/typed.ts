// Fields for words that count when they are complete.

import { useEffect, useState } from "preact/hooks";

/** A field's text, and what hears of changes to it. */
export interface Typed {
  value: string;
  onInput: (event: { currentTarget: HTMLInputElement }) => void;
}

/**
 * Keeps what is being typed. A screen is drawn anew whenever something comes in, and would put the
 * words that count now (`value`) in its place.
 */
export function useTyped(value: string): Typed {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return { value: text, onInput: (event) => setText(event.currentTarget.value) };
}
