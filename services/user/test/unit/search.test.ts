import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { searchUsers } from "../../src/core/search.ts";
import type { Profile, ProfileStore } from "../../src/ports.ts";
import { searchKey } from "../../src/search-key.ts";

function profile(username: string, displayName: string): Profile {
  return { userId: `id-${username}`, username, displayName, avatarUrl: "", bio: "", createTime: new Date(0) };
}

/** A store that answers as the real one does. */
function storeOf(profiles: readonly Profile[]): ProfileStore {
  const unused = () => assert.fail("not needed");
  const place = ({ displayName, userId }: Profile) => `${searchKey(displayName)} ${userId}`;
  return {
    createProfile: unused,
    profiles: unused,
    updateProfile: unused,
    settings: unused,
    settingsOf: unused,
    updateSettings: unused,
    byUsername: async (prefix, after, limit) =>
      profiles
        .filter(({ username }) => username.startsWith(prefix) && username > after)
        .sort((a, b) => (a.username < b.username ? -1 : 1))
        .slice(0, limit),
    byDisplayName: async (prefix, after, limit) =>
      profiles
        .filter(
          ({ username, displayName }) => !username.startsWith(prefix) && searchKey(displayName).startsWith(prefix),
        )
        .filter((one) => after === undefined || place(one) > `${after.displayNameKey} ${after.userId}`)
        .sort((a, b) => (place(a) < place(b) ? -1 : 1))
        .slice(0, limit),
  };
}

const people = [
  profile("ada", "Countess"),
  profile("adam", "Adam Smith"),
  profile("grace", "Ada Fan"),
  profile("linus", "ＡＤＡ　wide"),
  profile("bob", "Bob"),
];

async function found(query: string, pageSize: number): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const { users, nextPageToken } = await searchUsers(storeOf(people), query, { pageSize, pageToken });
    pages.push(users.map(({ username }) => username));
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("SearchUsers", () => {
  it("finds by username first, then by display name, each user once, whatever the case", async () => {
    assert.deepEqual(await found("aD", 10), [["ada", "adam", "grace", "linus"]]);
  });

  it("pages over the same list, whatever the size", async () => {
    assert.deepEqual(await found("ad", 1), [["ada"], ["adam"], ["grace"], ["linus"]]);
    assert.deepEqual(await found("ad", 2), [
      ["ada", "adam"],
      ["grace", "linus"],
    ]);
    assert.deepEqual(await found("ad", 3), [["ada", "adam", "grace"], ["linus"]]);
    assert.deepEqual(await found("ad", 4), [["ada", "adam", "grace", "linus"]]);
  });

  it("finds nothing for a name that nobody has", async () => {
    assert.deepEqual(await found("zz", 10), [[]]);
  });

  it("refuses blanks and made-up page tokens", async () => {
    await refused(searchUsers(storeOf(people), "  ", { pageSize: 0, pageToken: "" }), "INVALID_FIELD");
    await refused(searchUsers(storeOf(people), "ad", { pageSize: 0, pageToken: "e30" }), "INVALID_FIELD");
  });
});
