import assert from "node:assert/strict";
import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { checkPresence } from "../../src/core/check-presence.ts";
import type { Pair, Settings } from "../../src/ports.ts";

const open: Settings = {
  directPolicy: "everyone",
  hideLastSeen: false,
  hideFromSearch: false,
  presencePolicy: "everyone",
};

const wordOf = (verdict: PresenceVerdict) =>
  Object.entries(PresenceVerdict).find(([, value]) => value === verdict)?.[0];

/** Pairs are written `viewer>user`; friends and blocks likewise, whichever way round. */
async function verdicts(
  pairs: readonly string[],
  given: {
    readonly settings?: Readonly<Record<string, Settings>>;
    readonly blocked?: readonly string[];
    readonly friends?: readonly string[];
  },
) {
  const reads: string[] = [];
  const among = (what: string, among: readonly string[] = []) => {
    return async (asked: readonly Pair[]) => {
      if (asked.length > 0) reads.push(what);
      return new Set(asked.filter(({ a, b }) => among.includes(`${a}>${b}`) || among.includes(`${b}>${a}`)));
    };
  };
  const found = await checkPresence(
    {
      settingsOf: async () => {
        reads.push("settings");
        return new Map(Object.entries(given.settings ?? {}));
      },
    },
    { blockedPairs: among("blocks", given.blocked), friendPairs: among("friends", given.friends) },
    pairs.map((pair) => ({ a: pair.split(">")[0] ?? "", b: pair.split(">")[1] ?? "" })),
  );
  return { found: found.map(wordOf), reads };
}

describe("CheckPresence", () => {
  it("shows oneself everything, whatever the policy", async () => {
    const settings = { a: { ...open, presencePolicy: "nobody", hideLastSeen: true } } as const;
    assert.deepEqual((await verdicts(["a>a"], { settings })).found, ["ALL"]);
  });

  it("hides unknown users", async () => {
    assert.deepEqual((await verdicts(["a>b"], {})).found, ["HIDDEN"]);
  });

  it("hides in both directions of a block, from friends too", async () => {
    const settings = { a: open, b: { ...open, presencePolicy: "friends" } } as const;
    const { found } = await verdicts(["a>b", "b>a"], { settings, blocked: ["a>b"], friends: ["a>b"] });
    assert.deepEqual(found, ["HIDDEN", "HIDDEN"]);
  });

  it("follows the policy", async () => {
    const settings = {
      e: open,
      f: { ...open, presencePolicy: "friends" },
      n: { ...open, presencePolicy: "nobody" },
    } as const;
    const { found } = await verdicts(["a>e", "a>f", "b>f", "a>n", "b>n"], { settings, friends: ["f>b", "n>b"] });
    assert.deepEqual(found, ["ALL", "HIDDEN", "ALL", "HIDDEN", "HIDDEN"]);
  });

  it("hides when somebody was last seen", async () => {
    const settings = { b: { ...open, hideLastSeen: true } };
    assert.deepEqual((await verdicts(["a>b"], { settings })).found, ["STATUS"]);
  });

  it("reads once of each, however many pairs", async () => {
    const settings = { f: { ...open, presencePolicy: "friends" } } as const;
    const { reads } = await verdicts(["a>f", "b>f", "c>f", "a>x"], { settings });
    assert.deepEqual(reads, ["settings", "blocks", "friends"]);
  });
});
