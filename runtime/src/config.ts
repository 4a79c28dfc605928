import { readFileSync } from "node:fs";
import { type AddressSource, parseAddresses } from "./addresses.ts";

/** The environment as it was handed to the process; only config.ts files read it. */
export type Env = Readonly<Record<string, string | undefined>>;

/** One configuration key. */
export interface Key<T> {
  /** The environment variable: `OCEANCHAT_…`. */
  readonly name: string;
  /** What a value looks like, for people. */
  readonly type: string;
  /** What it means, with its unit. */
  readonly meaning: string;
  /** The value when the variable is absent or empty; undefined: it must be set. */
  readonly fallback: string | undefined;
  /** Throws an Error whose message says what is expected. */
  parse(text: string): T;
}

/** A service's keys by the names of its configuration's properties. */
export type Keys = Readonly<Record<string, Key<unknown>>>;
/** The values of keys. */
export type Values<K extends Keys> = { readonly [P in keyof K]: K[P] extends Key<infer T> ? T : never };

function key<T>(name: string, type: string, meaning: string, fallback: string | undefined, parse: (text: string) => T) {
  return { name, type, meaning, fallback, parse } satisfies Key<T>;
}

/** A text. */
export const text = (name: string, meaning: string, fallback?: string): Key<string> =>
  key(name, "text", meaning, fallback, (value) => value);

/** A whole number from `min` to `max`. */
export const integer = (name: string, meaning: string, fallback: number, min: number, max: number): Key<number> =>
  key(name, `${min} … ${max}`, meaning, String(fallback), (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < min || number > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
    return number;
  });

/** A port; 0 lets the system choose. */
export const port = (name: string, meaning: string, fallback: number): Key<number> =>
  integer(name, meaning, fallback, 0, 65535);

/** A number from `min` to `max`. */
export const decimal = (name: string, meaning: string, fallback: number, min: number, max: number): Key<number> =>
  key(name, `${min} … ${max}`, meaning, String(fallback), (value) => {
    const number = Number(value);
    if (!Number.isFinite(number) || number < min || number > max) throw new Error(`must be from ${min} to ${max}`);
    return number;
  });

/** One of a few words. */
export const choice = <T extends string>(name: string, meaning: string, fallback: T, words: readonly T[]): Key<T> =>
  key(name, words.join(" | "), meaning, fallback, (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new Error(`must be one of ${words.join(", ")}`);
    return word;
  });

/** Whose clients take several servers: `scheme://a,b` or `scheme://a,scheme://b`. */
const LISTED = new Set(["mongodb", "nats", "tls"]);

/** A URL of one of the schemes; for MongoDB and NATS also a list of hosts. */
export const url = (
  name: string,
  meaning: string,
  fallback: string | undefined,
  schemes: readonly string[],
): Key<string> =>
  key(name, schemes.map((scheme) => `${scheme}://…`).join(" | "), meaning, fallback, (value) => {
    if (!value.split(/,(?=[a-z+]+:\/\/)/).every((each, _, { length }) => isUrl(each, schemes, length > 1))) {
      throw new Error(`must be a URL that begins with ${schemes.join(":// or ")}://`);
    }
    return value;
  });

/** Whether every host of it makes a URL. */
function isUrl(value: string, schemes: readonly string[], oneOfSeveral: boolean): boolean {
  const [, scheme = "", authority = "", rest = ""] = /^([^:]*):\/\/([^/?#]*)(.*)$/s.exec(value) ?? [];
  const hosts = authority.slice(authority.lastIndexOf("@") + 1).split(",");
  const user = authority.slice(0, authority.lastIndexOf("@") + 1);
  const several = oneOfSeveral || hosts.length > 1;
  if (!schemes.includes(scheme) || (several && !LISTED.has(scheme))) return false;
  return hosts.every((host) => host !== "" && URL.canParse(`${scheme}://${user}${host}${rest}`));
}

/** Words with commas between them; empty for none. */
export const list = (name: string, meaning: string, fallback = ""): Key<readonly string[]> =>
  key(name, "a,b,…", meaning, fallback, (value) =>
    value
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== ""),
  );

/** Where a peer's mesh doors are. */
export const addresses = (name: string, meaning: string, fallback?: string): Key<AddressSource> =>
  key(name, "host:port,… | dns:name:port", meaning, fallback, parseAddresses);

/** A file's content, for secrets: the variable holds the path, never the secret. Undefined when the variable is empty. */
export const secretFile = (name: string, meaning: string): Key<string | undefined> =>
  key(name, "path", meaning, "", (path) => {
    if (path === "") return undefined;
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw new Error(`can't be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  });

/** The configuration has mistakes; the message names all of them. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads all keys and throws one ConfigError with everything that is wrong. */
export function readConfig<K extends Keys>(keys: K, env: Env): Values<K> {
  const values: Record<string, unknown> = {};
  const mistakes: string[] = [];
  for (const [property, definition] of Object.entries(keys)) {
    const given = env[definition.name];
    const value = given === undefined || given === "" ? definition.fallback : given;
    if (value === undefined) {
      mistakes.push(`${definition.name} must be set: ${definition.meaning}`);
      continue;
    }
    try {
      values[property] = definition.parse(value);
    } catch (error) {
      mistakes.push(`${definition.name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (mistakes.length > 0) throw new ConfigError(`configuration:\n  ${mistakes.join("\n  ")}`);
  return values as Values<K>;
}

/** The text of `--help`: every key with its type, default and meaning. */
export function describeConfig(keys: Keys): string {
  return Object.values(keys)
    .map(({ name, type, meaning, fallback }) => {
      const standard = fallback === undefined ? "required" : fallback === "" ? "default: none" : `default: ${fallback}`;
      return `  ${name}  (${type}; ${standard})\n      ${meaning}`;
    })
    .join("\n");
}
