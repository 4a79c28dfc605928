import assert from "node:assert/strict";
import { decodePageToken, encodePageToken } from "@oceanchat/runtime/page-token";
import { placeFields, placeOfFields } from "../../src/core/list-place.ts";
import { listConversations } from "../../src/core/lists.ts";
import { randomOf } from "../support/model.ts";
import { directWith, groupNo, ME, SyncWorld } from "../support/sync-world.ts";

/** All pages of the list, through their tokens; `between` happens before each but the first. */
async function pagesOf(world: SyncWorld, pageSize: number, between: () => void = () => undefined): Promise<string[][]> {
  const pages: string[][] = [];
  for (let token = ""; ; ) {
    const after = decodePageToken(token, placeOfFields);
    const { conversations, next } = await listConversations(world.listing(), ME, { pageSize, after });
    pages.push(conversations.map(({ conversationId }) => conversationId ?? ""));
    assert.ok(conversations.length <= pageSize);
    if (next === undefined) return pages;
    assert.ok(pages.length < 200, "a list without an end");
    token = encodePageToken(placeFields(next));
    between();
  }
}

/** Ten direct conversations and five groups, each with a time of its own. */
function filledWorld(): SyncWorld {
  const world = new SyncWorld();
  for (let n = 0; n < 15; n++) {
    world.nowMs += 1000;
    if (n % 3 === 2) world.join(groupNo(n));
    else world.append(directWith(n));
  }
  return world;
}

const latestFirst = Array.from({ length: 15 }, (_, n) => (n % 3 === 2 ? `g_${groupNo(n)}` : directWith(n))).reverse();

describe("listConversations", () => {
  it("gives the latest activity first, written or not, whatever the page", async () => {
    for (const written of [0, 7, 15]) {
      const world = filledWorld();
      world.write(written);
      for (const size of [1, 4, 7, 15, 50]) {
        const given = (await pagesOf(world, size)).flat();
        assert.deepEqual([...new Set(given)], latestFirst);
        if (written === 15 || size > 14) assert.equal(given.length, 15);
      }
    }
  });

  it("gives at the end what moved up past the reader between two pages", async () => {
    for (const isWritten of [false, true]) {
      const world = filledWorld();
      world.write();
      let moved = false;
      const pages = await pagesOf(world, 6, () => {
        if (moved) return;
        moved = true;
        world.nowMs += 1000;
        world.append(directWith(0));
        if (isWritten) world.write();
      });
      assert.deepEqual(pages.flat(), [...latestFirst.filter((id) => id !== directWith(0)), directWith(0)]);
    }
  });

  it("gives at the end what goes up when it is stored: a record of before whose machine's clock is ahead", async () => {
    const world = new SyncWorld();
    const start = world.nowMs;
    for (const [n, seconds] of [90, 80, 70].entries()) {
      world.nowMs = start + seconds * 1000;
      world.append(directWith(n));
    }
    world.write();
    for (const seconds of [100, 75]) {
      world.nowMs = start + seconds * 1000;
      world.append(directWith(5));
    }
    const pages = await pagesOf(world, 1, () => world.write());
    assert.ok(pages.flat().includes(directWith(5)));
  });

  it("says that there is no more with the only page, and never twice the same without need", async () => {
    const world = filledWorld();
    world.write();
    assert.equal((await pagesOf(world, 15)).length, 1);
    assert.equal(new Set((await pagesOf(world, 4)).flat()).size, 15);
  });

  it("loses nothing, whatever moves, is written, joined or left meanwhile (300 random worlds)", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const world = new SyncWorld();
      const happen = () => {
        // The machines' clocks differ.
        world.nowMs += random(3000) - 800;
        const what = random(10);
        if (what < 5) world.append(directWith(random(12)));
        else if (what < 6) world.join(groupNo(random(6)));
        else if (what < 7)
          for (const [id, { toSeq }] of world.memberships) if (toSeq === undefined) world.append(`g_${id}`);
        const stored = Math.min(world.lastSequence, world.stored + random(10));
        if (what > 6) world.write(stored, Math.min(stored, world.floor + random(8)));
      };
      for (let n = random(60); n > 0; n--) happen();
      const expected = new Set([...world.logIds().filter((id) => id.startsWith("d_"))]);
      for (const id of world.memberships.keys()) expected.add(`g_${id}`);
      let disturbances = 60;
      const disturb = () => {
        if (disturbances-- > 0 && random(2) === 0) happen();
      };
      world.disturb = disturb;
      const given = new Set((await pagesOf(world, 1 + random(5), disturb)).flat());
      for (const id of expected) assert.ok(given.has(id), `seed ${seed}: ${id}`);
    }
  });

  it("starts again in another log", async () => {
    const world = filledWorld();
    world.write();
    const first = await listConversations(world.listing(), ME, { pageSize: 5, after: undefined });
    world.renew();
    const again = await listConversations(world.listing(), ME, { pageSize: 5, after: first.next });
    assert.deepEqual(
      again.conversations.map(({ conversationId }) => conversationId),
      latestFirst.slice(0, 5),
    );
  });

  it("refuses a token that isn't one", () => {
    const time = Number.MAX_SAFE_INTEGER;
    for (const fields of [{}, { log: 1, since: -1, sinceId: "" }, { log: 1, since: 1, sinceId: "~", time, id: "x" }])
      assert.throws(() => decodePageToken(encodePageToken(fields), placeOfFields));
  });
});
