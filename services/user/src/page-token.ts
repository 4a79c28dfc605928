import { shared } from "@oceanchat/runtime/fail";

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

/** Undefined for the first page. `parse` gives undefined for what isn't a place: the client has made the token up. */
export function decodePageToken<T>(
  token: string,
  parse: (value: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  if (token === "") return undefined;
  const place = parse(objectOf(token));
  if (place === undefined) throw invalid();
  return place;
}

function objectOf(token: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw invalid();
  }
  if (typeof value !== "object" || value === null) throw invalid();
  return { ...value };
}

const invalid = () => shared.invalidFields([{ field: "page_token", description: "is not a page token of this list" }]);
