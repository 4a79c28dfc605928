import { shared } from "@oceanchat/runtime/fail";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import type { DisplayNamePlace, Profile, ProfileStore } from "../ports.ts";
import { searchKey } from "../search-key.ts";

/** Where a page ended: usernames come first, then display names. */
type Place = { readonly username: string } | DisplayNamePlace;

/** Finds users whose username or display name begins with the query, whatever its case. */
export async function searchUsers(
  profiles: ProfileStore,
  query: string,
  page: { readonly pageSize: number; readonly pageToken: string },
): Promise<{ users: Profile[]; nextPageToken: string }> {
  const prefix = searchKey(query);
  if (prefix === "") throw shared.invalidFields([{ field: "query", description: "must not be blank" }]);
  const limit = pageSizeOf(page.pageSize);
  const place = decodePageToken(page.pageToken, placeOf);
  const byUsername =
    place !== undefined && "userId" in place ? [] : await profiles.byUsername(prefix, place?.username ?? "", limit + 1);
  const missing = limit + 1 - byUsername.length;
  const after = place !== undefined && "userId" in place ? place : undefined;
  const byDisplayName = missing > 0 ? await profiles.byDisplayName(prefix, after, missing) : [];
  const found = [...byUsername, ...byDisplayName];
  const users = found.slice(0, limit);
  const last = users.at(-1);
  if (last === undefined || found.length <= limit) return { users, nextPageToken: "" };
  const end: Place =
    users.length <= byUsername.length
      ? { username: last.username }
      : { displayNameKey: searchKey(last.displayName), userId: last.userId };
  return { users, nextPageToken: encodePageToken(end) };
}

function placeOf(value: Readonly<Record<string, unknown>>): Place | undefined {
  const { username, displayNameKey, userId } = value;
  if (typeof username === "string") return { username };
  if (typeof displayNameKey === "string" && typeof userId === "string") return { displayNameKey, userId };
  return undefined;
}
