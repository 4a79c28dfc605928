import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { key, signal } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { checkedToken, fillPattern, parsePattern } from "./patterns.ts";

type Tokens = Readonly<Record<string, string>>;

/** The Redis key that the message type declares with `oceanchat.options.v1.key`: a function that fills its parts in. */
export function keyOf(desc: DescMessage): (tokens: Tokens) => string {
  const pattern = getOption(desc, key);
  if (pattern === "") throw new TypeError(`${desc.typeName} declares no key`);
  return (tokens) =>
    pattern.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
      const value = tokens[name];
      if (value === undefined || value === "") throw new TypeError(`key part ${name} is missing`);
      return value;
    });
}

/** The subjects of signals, which are sent at most once. */
export interface DeclaredSignal {
  /** Where one is sent. */
  subjectOf(tokens: Tokens): string;
  /** What is listened to: `*` for every token that is not given. */
  filterOf(tokens?: Tokens): string;
}

/** The signal that the message type declares with `oceanchat.options.v1.signal`. */
export function signalOf(desc: DescMessage): DeclaredSignal {
  const declared = getOption(desc, signal);
  if (declared === "") throw new TypeError(`${desc.typeName} declares no signal`);
  const pattern = parsePattern(declared);
  return {
    subjectOf: (tokens) => fillPattern(pattern, (token) => checkedToken(token, tokens[token])),
    filterOf: (tokens = {}) =>
      fillPattern(pattern, (token) => (tokens[token] === undefined ? "*" : checkedToken(token, tokens[token]))),
  };
}
