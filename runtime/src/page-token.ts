import { type ServiceError, shared } from "./fail.ts";

const DEFAULT_SIZE = 50;
const MAX_SIZE = 200;

/** How many items a page has: 50 when not said, at most 200. */
export function pageSizeOf(asked: number): number {
  return asked <= 0 ? DEFAULT_SIZE : Math.min(asked, MAX_SIZE);
}

/** Where the next page begins, as a word that clients don't look into. */
export function encodePageToken(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/**
 * Undefined for the first page. `parse` gives undefined for what isn't a place: the client has made the token up, which
 * `invalid` is the error of.
 */
export function decodePageToken<T>(
  token: string,
  parse: (value: Readonly<Record<string, unknown>>) => T | undefined,
  invalid: () => ServiceError = notOfThisList,
): T | undefined {
  if (token === "") return undefined;
  const value = objectOf(token);
  const place = value === undefined ? undefined : parse(value);
  if (place === undefined) throw invalid();
  return place;
}

/** What the token says; undefined when it isn't the JSON of an object. */
function objectOf(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // the same answer as for other nonsense
  }
}

const notOfThisList = () =>
  shared.invalidFields([{ field: "page_token", description: "is not a page token of this list" }]);
