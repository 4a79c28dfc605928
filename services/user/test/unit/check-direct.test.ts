import assert from "node:assert/strict";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { createUserCore } from "../../src/core.ts";
import type { ProfileStore, RelationStore, Settings } from "../../src/ports.ts";

interface Given {
  readonly recipient?: Settings["directPolicy"];
  readonly blocked?: boolean;
  readonly friends?: boolean;
}

async function verdict({ recipient, blocked = false, friends = false }: Given, sender = "a"): Promise<DirectVerdict> {
  const unused = () => assert.fail("not needed");
  const profiles: ProfileStore = {
    createProfile: unused,
    profiles: unused,
    updateProfile: unused,
    updateSettings: unused,
    settingsOf: unused,
    byUsername: unused,
    byDisplayName: unused,
    settings: async () =>
      recipient === undefined
        ? undefined
        : { directPolicy: recipient, hideLastSeen: false, hideFromSearch: false, presencePolicy: "everyone" },
  };
  const relations: RelationStore = {
    isBlocked: async () => blocked,
    blockedPairs: unused,
    friendPairs: unused,
    friendsAmong: async (_, others) => (friends ? [...others] : []),
  };
  return createUserCore({ profiles, relations, now: () => 0 }).checkDirect(sender, "b");
}

describe("CheckDirect", () => {
  it("knows no unknown recipient, also one who blocks", async () => {
    assert.equal(await verdict({}), DirectVerdict.UNKNOWN_RECIPIENT);
    assert.equal(await verdict({ blocked: true }), DirectVerdict.UNKNOWN_RECIPIENT);
  });

  it("lets everybody write to who hears everybody", async () => {
    assert.equal(await verdict({ recipient: "everyone" }), DirectVerdict.ALLOWED);
  });

  it("stops at a block, between friends too", async () => {
    assert.equal(await verdict({ recipient: "everyone", blocked: true }), DirectVerdict.BLOCKED);
    assert.equal(await verdict({ recipient: "friends", blocked: true, friends: true }), DirectVerdict.BLOCKED);
  });

  it("lets friends alone write to who hears friends", async () => {
    assert.equal(await verdict({ recipient: "friends" }), DirectVerdict.NOT_FRIENDS);
    assert.equal(await verdict({ recipient: "friends", friends: true }), DirectVerdict.ALLOWED);
  });

  it("lets everybody write to himself", async () => {
    assert.equal(await verdict({ recipient: "friends" }, "b"), DirectVerdict.ALLOWED);
  });
});
