import type { Output } from "./ports.ts";

/** The process's two streams, as far as output needs them. */
export interface Streams {
  readonly out: { write(text: string): unknown };
  readonly error: { write(text: string): unknown };
}

/** Writes lines for people, or with `json` one JSON value a line for machines. */
export function createOutput({ out, error }: Streams, json: boolean): Output {
  return {
    line: (text, value) => void out.write(`${json ? JSON.stringify(value) : text}\n`),
    remark: (text) => void (json || error.write(`${text}\n`)),
  };
}
