import assert from "node:assert/strict";
import { type SyncPage, sync } from "../../src/core/sync.ts";
import { randomOf } from "../support/model.ts";
import { directWith, groupNo, ME, SyncWorld } from "../support/sync-world.ts";

const HOUR = 3_600_000;
const BIG = { pageSize: 1000, maxBytes: 10_000_000 };
const ask = (world: SyncWorld, cursor: string, more: Partial<typeof BIG> = {}) =>
  sync(world.sources(), ME, { cursor, ...BIG, ...more });
const idsOf = ({ conversations }: SyncPage) => conversations.map(({ conversationId }) => conversationId);

/** A round to its end. */
async function round(world: SyncWorld, cursor: string, more: Partial<typeof BIG> = {}): Promise<SyncPage[]> {
  const pages = [await ask(world, cursor, more)];
  for (let last = pages[0]; last?.hasMore; last = pages.at(-1)) {
    assert.ok(pages.length < 500, "a round comes to an end");
    pages.push(await ask(world, last.cursor, more));
  }
  return pages;
}
const cursorOf = (pages: readonly SyncPage[]) => pages.at(-1)?.cursor ?? "";

describe("sync", () => {
  it("gives everything the first time and then only what has moved, the latest first", async () => {
    const world = new SyncWorld();
    for (let n = 0; n < 5; n++) world.append(directWith(n));
    world.join(groupNo(1));
    world.write();
    const first = await ask(world, "");
    assert.equal(first.startAfresh, true);
    assert.equal(first.hasMore, false);
    assert.deepEqual(idsOf(first), [`g_${groupNo(1)}`, ...[4, 3, 2, 1, 0].map(directWith)]);
    world.nowMs += 2 * HOUR;
    assert.deepEqual(idsOf(await ask(world, (await ask(world, first.cursor)).cursor)), []);
    const { cursor } = await ask(world, first.cursor);
    world.append(directWith(2));
    world.append(directWith(0));
    world.write();
    const second = await ask(world, cursor);
    assert.equal(second.startAfresh, false);
    assert.deepEqual(idsOf(second), [directWith(0), directWith(2)]);
  });

  it("knows what the store doesn't have yet", async () => {
    const world = new SyncWorld();
    world.append(directWith(1));
    world.write();
    const { cursor } = await ask(world, "");
    world.append(directWith(1));
    world.append(directWith(2));
    world.memberships.set(groupNo(1), { groupId: groupNo(1), fromSeq: 1n, toSeq: undefined, joinTimeMs: 0 });
    world.append(`g_${groupNo(1)}`);
    assert.deepEqual(idsOf(await ask(world, cursor)), [`g_${groupNo(1)}`, directWith(2), directWith(1)]);
  });

  it("says UNAVAILABLE rather than be incomplete when too many logs are ahead of the store", async () => {
    const world = new SyncWorld(3);
    for (let n = 0; n < 4; n++) world.append(directWith(n));
    await assert.rejects(ask(world, ""), { reason: "ERROR_REASON_UNAVAILABLE" });
  });

  it("shows what is left once more, up to its end, and nothing of what came then", async () => {
    const world = new SyncWorld();
    world.join(groupNo(1));
    const { cursor } = await ask(world, "");
    world.leave(groupNo(1));
    world.nowMs += 60_000;
    for (let n = 0; n < 3; n++) world.append(`g_${groupNo(1)}`);
    const { conversations } = await ask(world, cursor);
    assert.deepEqual(
      conversations.map(({ conversationId, headSeq, left, firstSeq }) => ({ conversationId, headSeq, left, firstSeq })),
      [{ conversationId: `g_${groupNo(1)}`, headSeq: 2n, left: true, firstSeq: 1n }],
    );
    assert.equal(conversations[0]?.lastRecord?.seq, 2n);
    assert.deepEqual(conversations[0]?.lastTime, conversations[0]?.lastRecord?.acceptedTime);
    assert.deepEqual(idsOf(await ask(world, "")), [], "nor does it come to a device that starts afresh");
  });

  it("never asks about conversations that aren't the caller's", async () => {
    const world = new SyncWorld();
    const { cursor } = await ask(world, "");
    world.append(`g_${groupNo(7)}`);
    world.append("d_00000000-0000-7000-8000-0000000000aa_00000000-0000-7000-8000-0000000000bb");
    assert.deepEqual(idsOf(await ask(world, cursor)), []);
    assert.deepEqual(world.described, []);
  });

  it("shows a group whose membership counts only after the round that passed the record of it", async () => {
    const world = new SyncWorld();
    const { cursor: before } = await ask(world, "");
    world.append(`g_${groupNo(1)}`);
    const joinTimeMs = world.nowMs;
    const passed = await ask(world, before);
    assert.deepEqual(idsOf(passed), []);
    world.write();
    world.memberships.set(groupNo(1), { groupId: groupNo(1), fromSeq: 1n, toSeq: undefined, joinTimeMs });
    assert.deepEqual(idsOf(await ask(world, passed.cursor)), [`g_${groupNo(1)}`]);
  });

  it("gives the user's own records, page by page, and starts at what the store has folded", async () => {
    const world = new SyncWorld();
    const own = `u_${ME}`;
    for (let n = 0; n < 3; n++) world.append(own);
    world.write();
    world.append(own);
    const first = await ask(world, "");
    assert.deepEqual(
      first.userRecords.map(({ seq }) => seq),
      [4n],
    );
    for (let n = 0; n < 1200; n++) world.append(own);
    const pages = await round(world, first.cursor);
    assert.deepEqual(
      pages.map(({ userRecords }) => userRecords.length),
      [500, 500, 200],
    );
    assert.equal(pages.at(-1)?.userRecords.at(-1)?.seq, 1204n);
  });

  it("cuts a page by its size", async () => {
    const world = new SyncWorld();
    for (let n = 0; n < 20; n++) world.append(directWith(n));
    const pages = await round(world, "", { maxBytes: 700 });
    assert.ok(pages.length > 3);
    assert.deepEqual(
      pages.flatMap(idsOf),
      Array.from({ length: 20 }, (_, n) => directWith(19 - n)),
    );
    assert.deepEqual(
      pages.map(({ startAfresh }) => startAfresh),
      pages.map((_, index) => index === 0),
    );
  });

  describe("starts afresh", () => {
    const given = async () => {
      const world = new SyncWorld();
      for (let n = 0; n < 3; n++) world.append(directWith(n));
      world.write();
      const { cursor } = await ask(world, "");
      return { world, cursor };
    };

    it("when the log was set up anew", async () => {
      const { world, cursor } = await given();
      world.nowMs += 2 * HOUR;
      world.renew();
      const page = await ask(world, cursor);
      assert.equal(page.startAfresh, true);
      assert.equal(page.conversations.length, 3);
      world.nowMs += 2 * HOUR;
      const next = await ask(world, page.cursor);
      assert.equal(next.startAfresh, false);
      assert.deepEqual(idsOf(next), [], "what moved in the earlier log only hasn't moved");
    });

    it("when the log has lost its end", async () => {
      const { world, cursor } = await given();
      world.lastSequence = 1;
      assert.equal((await ask(world, cursor)).startAfresh, true);
    });

    it("when the cursor is too old", async () => {
      const { world, cursor } = await given();
      world.nowMs += 89 * 24 * HOUR;
      assert.equal((await ask(world, cursor)).startAfresh, false);
      world.nowMs += 2 * 24 * HOUR;
      assert.equal((await ask(world, cursor)).startAfresh, true);
    });

    it("when too many records of the own log were missed", async () => {
      const { world, cursor } = await given();
      for (let n = 0; n < 5000; n++) world.append(`u_${ME}`);
      assert.equal((await ask(world, cursor)).startAfresh, false);
      world.append(`u_${ME}`);
      const page = await ask(world, cursor);
      assert.equal(page.startAfresh, true);
      world.write();
      assert.equal((await ask(world, cursor)).userRecords.length, 0);
    });

    it("when another version wrote the cursor", async () => {
      const { world, cursor } = await given();
      const fields = JSON.parse(Buffer.from(cursor, "base64url").toString());
      const other = Buffer.from(JSON.stringify({ ...fields, v: 99 })).toString("base64url");
      assert.equal((await ask(world, other)).startAfresh, true);
    });
  });

  it("refuses what isn't a cursor of this user", async () => {
    const world = new SyncWorld();
    const { cursor } = await ask(world, "");
    const fields = JSON.parse(Buffer.from(cursor, "base64url").toString());
    const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const wrong = ["x", "AAAA", write(7), write([]), write({}), write({ ...fields, user: "another" })];
    wrong.push(write({ ...fields, after: -1 }), write({ ...fields, own: "1" }), write({ ...fields, log: 1.5 }));
    for (const each of wrong)
      await assert.rejects(ask(world, each), { reason: "ERROR_REASON_INVALID_PAGE_TOKEN" }, each);
  });
});

/** What a device has, and what must hold after each round. */
describe("sync, whatever happens meanwhile", () => {
  for (let seed = 1; seed <= 90; seed++) {
    it(`loses nothing and shows nothing that isn't the user's (seed ${seed})`, async () => {
      const random = randomOf(seed);
      const world = new SyncWorld();
      const device = new Map<string, bigint>();
      const pending: (() => void)[] = [];
      const act = () => {
        world.nowMs += random(4) === 0 ? random(20 * 60_000) : random(1000);
        for (const apply of pending.splice(0, random(2))) apply();
        const dice = random(20);
        if (dice < 9) world.append(directWith(random(30)));
        else if (dice < 12) world.append(`g_${groupNo(random(8))}`);
        else if (dice === 12) {
          const groupId = groupNo(random(8));
          if (world.memberships.get(groupId)?.toSeq === undefined && world.memberships.has(groupId)) return;
          const fromSeq = world.append(`g_${groupId}`);
          const joinTimeMs = world.nowMs;
          pending.push(() => world.memberships.set(groupId, { groupId, fromSeq, toSeq: undefined, joinTimeMs }));
        } else if (dice === 13) {
          const groupId = groupNo(random(8));
          if (world.memberships.get(groupId)?.toSeq === undefined) world.leave(groupId);
        } else if (dice < 17) {
          const upTo = world.stored + random(world.lastSequence - world.stored + 1);
          world.write(upTo, world.floor + random(upTo - world.floor + 1));
        }
      };
      for (let n = 0; n < 60; n++) act();
      let cursor = "";
      for (let rounds = 0; rounds < 12; rounds++) {
        const heads = new Map(world.logIds().map((logId) => [logId, world.headSeq(logId)]));
        const memberships = new Map(world.memberships);
        const had = new Set(device.keys());
        let disturbances = random(80);
        world.disturb = () => {
          for (let n = random(4); n > 0 && disturbances-- > 0; n--) act();
        };
        const pages = await round(world, cursor, { pageSize: 1 + random(6) });
        world.disturb = () => undefined;
        for (const page of pages) {
          if (page.startAfresh) device.clear();
          for (const { conversationId = "", headSeq = 0n } of page.conversations) device.set(conversationId, headSeq);
        }
        const fresh = pages[0]?.startAfresh === true;
        cursor = cursorOf(pages);
        for (const [logId, head] of heads) {
          const mine = logId.startsWith("d_") ? undefined : memberships.get(logId.slice(2));
          if (logId.startsWith("g_") && mine === undefined) continue;
          // What was left doesn't come to a device that starts afresh or didn't have it, and what changed meanwhile comes next time.
          if (mine !== undefined && world.memberships.get(logId.slice(2)) !== mine) continue;
          if (mine?.toSeq !== undefined && (fresh || !had.has(logId))) continue;
          const least = mine?.toSeq ?? head;
          assert.ok((device.get(logId) ?? 0n) >= least, `${logId}: ${device.get(logId)} instead of ${least}`);
        }
        for (const [logId, head] of device) {
          if (!logId.startsWith("g_")) continue;
          const mine = world.memberships.get(logId.slice(2));
          assert.ok(mine !== undefined, `${logId} isn't his`);
          if (mine.toSeq !== undefined && device.get(logId) !== undefined) assert.ok(head <= world.headSeq(logId));
        }
        if (random(6) === 0) world.renew();
        for (let n = random(30); n > 0; n--) act();
        for (const apply of pending.splice(0)) apply();
        world.nowMs += random(3) * HOUR;
      }
    });
  }
});
