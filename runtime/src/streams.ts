import { crc32 } from "node:zlib";
import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { Retention, type Stream, stream } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { checkedToken, fillPattern, type Pattern, parsePattern } from "./patterns.ts";

/** A stream as its message type declares it in proto. Parse it once (`streamOf`) and keep it. */
export class DeclaredStream {
  readonly name: string;
  readonly partitions: number;
  readonly declaration: Stream;
  readonly #patterns: ReadonlyMap<string, Pattern>;

  constructor(declaration: Stream, typeName: string) {
    if (
      declaration.name === "" ||
      declaration.subjects.length === 0 ||
      declaration.retention === Retention.UNSPECIFIED
    ) {
      throw new TypeError(`${typeName}: its stream needs a name, a subject and a retention`);
    }
    this.declaration = declaration;
    this.name = declaration.name;
    this.partitions = declaration.partitions;
    this.#patterns = new Map(declaration.subjects.map(({ name, pattern }) => [name, parsePattern(pattern)]));
  }

  /** The partition of an id: CRC-32 of the id, modulo the stream's partitions. */
  partitionOf(id: string): number {
    if (this.partitions === 0) throw new TypeError(`stream ${this.name} has no partitions`);
    return crc32(id) % this.partitions;
  }

  /** The subject of that name with its tokens filled in; `{partition}` is computed from the token `id`. */
  subjectOf(name: string, tokens: Readonly<Record<string, string>>): string {
    return this.#fill(name, (token) => {
      if (token === "partition") return String(this.partitionOf(checkedToken("id", tokens.id)));
      return checkedToken(token, tokens[token]);
    });
  }

  /** A consumer's filter: the subject of that name with `*` for every token that is not given. */
  filterOf(name: string, tokens: Readonly<Record<string, string>> = {}): string {
    return this.#fill(name, (token) => (tokens[token] === undefined ? "*" : checkedToken(token, tokens[token])));
  }

  /** Which of the stream's subjects this is and the values of its tokens; undefined when it is none of them. */
  parse(subject: string): { readonly name: string; readonly tokens: Readonly<Record<string, string>> } | undefined {
    const parts = subject.split(".");
    for (const [name, pattern] of this.#patterns) {
      const tokens = match(pattern, parts);
      if (tokens !== undefined) return { name, tokens };
    }
    return undefined;
  }

  /** What the server is told to keep: every subject with `*` for its tokens. */
  subjects(): string[] {
    return [...this.#patterns.keys()].map((name) => this.filterOf(name));
  }

  #fill(name: string, fill: (token: string) => string): string {
    const pattern = this.#patterns.get(name);
    if (pattern === undefined) throw new TypeError(`stream ${this.name} has no subject named ${name}`);
    return fillPattern(pattern, fill);
  }
}

/** The stream that a message type declares with `oceanchat.options.v1.stream`. */
export function streamOf(desc: DescMessage): DeclaredStream {
  const declaration = getOption(desc, stream);
  return new DeclaredStream(declaration, desc.typeName);
}

function match(pattern: Pattern, parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const tokens: Record<string, string> = {};
  for (const [index, { literal, token }] of pattern.entries()) {
    const part = parts[index] ?? "";
    if (token !== undefined) tokens[token] = part;
    else if (literal !== part) return undefined;
  }
  return tokens;
}
