import assert from "node:assert/strict";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { isChange } from "../../src/core/fold.ts";
import { readerOf } from "../../src/core/history.ts";
import { choosePage } from "../../src/core/page.ts";
import { createQueryCore } from "../../src/core.ts";
import type { Interval } from "../../src/ports.ts";
import { edit, expected, randomLog, randomOf, recordOf, shownOf } from "../support/model.ts";
import { sourcesOf, tiersOf } from "../support/tiers.ts";
import { disturbed, lettingRead, World } from "../support/world.ts";

const conversation = "g_00000000-0000-7000-8000-00000000000c";
const WHOLE: readonly Interval[] = [{ fromSeq: 1n, toSeq: undefined }];
const newest = { afterSeq: undefined, beforeSeq: undefined, limit: 50, raw: false };

/** One membership, or two with a gap between. */
function randomIntervals(random: (n: number) => number, length: number): readonly Interval[] {
  const from = BigInt(1 + random(length));
  const to = from + BigInt(random(length));
  const one = [{ fromSeq: from, toSeq: to }];
  return [WHOLE, one, [...one, { fromSeq: to + 2n, toSeq: undefined }]][random(3)] ?? WHOLE;
}

function randomRequest(random: (n: number) => number, length: number) {
  const at = BigInt(random(length + 2));
  const [afterSeq, beforeSeq] = [
    [at, undefined],
    [undefined, at + 1n],
    [undefined, undefined],
  ][random(3)] ?? [undefined, undefined];
  return { afterSeq, beforeSeq, limit: 1 + random(30), raw: random(3) === 0 };
}

function assertOneOf(actual: unknown, possible: readonly unknown[], message: string): void {
  const same = possible.some((each) => {
    try {
      assert.deepEqual(actual, each);
      return true;
    } catch {
      return false;
    }
  });
  if (!same) assert.deepEqual(actual, possible.at(-1), message);
}

/** What is shown is how the log stood at some moment of the call: never before it. */
function check(
  log: readonly LogRecord[],
  records: readonly LogRecord[],
  span: [number, number],
  intervals: readonly Interval[],
) {
  const { mayRead } = readerOf("bob", intervals);
  for (const record of records) {
    if (record.body.case !== "message") continue;
    const possible = [];
    for (let n = span[0]; n <= span[1]; n++) possible.push(expected(log.slice(0, n), record.seq, "bob", mayRead));
    assertOneOf(shownOf(record), possible, `message ${record.seq} at ${span}`);
  }
}

describe("listRecords over tiers that change meanwhile", () => {
  it("gives what was accepted, whole and once, never an older view than before (300 random worlds, 12 calls each)", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const log = randomLog(random, 4 + random(90));
      const world = new World(log, random);
      const happen = () => {
        for (let n = random(4); n > 0; n--) world.moveOn();
      };
      const tiers = tiersOf(() => world);
      const intervals = randomIntervals(random, log.length);
      const core = createQueryCore({
        ...tiers,
        store: disturbed(tiers.store, happen),
        log: disturbed(tiers.log, happen),
        tail: disturbed(tiers.tail, happen),
        peers: lettingRead(intervals),
      });
      for (let call = 0; call < 12; call++) {
        for (let n = random(20); n > 0; n--) world.moveOn();
        if (random(4) === 0) world.expire();
        const request = randomRequest(random, log.length);
        const before = world.length;
        const page = await core.listRecords("bob", conversation, request);
        const what = `seed ${seed}, call ${call}`;
        assert.ok(page.headSeq >= BigInt(before), `${what}: an older head`);
        const { stretches, hasMore } = choosePage(intervals, page.headSeq, request);
        const covered = stretches.flatMap(({ fromSeq, toSeq }) => log.slice(Number(fromSeq) - 1, Number(toSeq)));
        assert.deepEqual([page.hasMore, page.firstSeq], [hasMore, stretches[0]?.fromSeq ?? 0n], what);
        if (request.raw) assert.deepEqual(page.records, covered, what);
        else {
          const shown = covered.filter((record) => !isChange(record)).map(({ seq }) => seq);
          assert.deepEqual(
            page.records.map(({ seq }) => seq),
            shown,
            what,
          );
          check(log, page.records, [before, world.length], intervals);
        }
      }
    }
  });

  it("needs neither store nor log for the newest page when the tail has it", async () => {
    const log = Array.from({ length: 60 }, (_, n) => recordOf(n + 1, "ann", n === 55 ? edit(20, "new") : undefined));
    const world = { records: log, isStored: () => true, headSeq: 60n, isInTail: () => true, storeAway: true };
    const tiers = tiersOf(() => world);
    const from = () => assert.fail("the log was read");
    const core = createQueryCore({ ...tiers, log: { ...tiers.log, from }, peers: lettingRead(WHOLE) });
    const page = await core.listRecords("bob", conversation, newest);
    assert.deepEqual([page.records.length, page.firstSeq, page.lastSeq], [49, 11n, 60n]);
    assert.equal(shownOf(page.records[9] ?? recordOf(1)).text, "new");
  });

  it("does not take the tail's word across a hole", async () => {
    const log = Array.from({ length: 60 }, (_, n) => recordOf(n + 1, "ann", n === 55 ? edit(20, "new") : undefined));
    for (const hole of [11n, 20n, 56n, 60n]) {
      const world = { records: log, isStored: () => true, headSeq: 60n, isInTail: (seq: bigint) => seq !== hole };
      const core = createQueryCore({ ...tiersOf(() => world), peers: lettingRead(WHOLE) });
      const page = await core.listRecords("bob", conversation, newest);
      assert.equal(page.records.length, 49);
      assert.equal(shownOf(page.records[9] ?? recordOf(1)).text, "new", `hole at ${hole}`);
    }
  });
});

describe("listRecords while a membership ends", () => {
  it("does not show an edit that comes after the end, even when the end comes after the membership was asked for", async () => {
    const log = Array.from({ length: 150 }, (_, n) =>
      recordOf(n + 1, "ann", n === 149 ? edit(20, "secret") : undefined),
    );
    const world = { records: log.slice(0, 148), isStored: () => true, headSeq: 148n };
    const tiers = tiersOf(() => world);
    let asked = 0;
    const peers = {
      ...lettingRead(WHOLE),
      intervals: async () => (asked++ === 0 ? WHOLE : [{ fromSeq: 1n, toSeq: 149n }]),
    };
    // Between membership and store he is removed (149) and the message edited (150).
    const changes: typeof tiers.store.changes = (...given) => {
      world.records = log;
      return tiers.store.changes(...given);
    };
    const core = createQueryCore({ ...tiers, store: { ...tiers.store, changes }, peers });
    const page = await core.listRecords("bob", conversation, { ...newest, afterSeq: 19n, limit: 1 });
    assert.equal(shownOf(page.records[0] ?? recordOf(1)).text, "message 20");
    assert.equal(asked, 2);
  });
});

describe("listRecords while the store is away", () => {
  const long = Array.from({ length: 3000 }, (_, n) =>
    recordOf(n + 1, "ann", n === 2900 ? edit(1200, "new") : undefined),
  );
  const away = (isLogged: (seq: bigint) => boolean, isInTail = (_seq: bigint) => false) => {
    const base = sourcesOf(long, () => true, 3000n, isLogged);
    const tiers = tiersOf(() => ({
      records: long,
      isStored: () => true,
      headSeq: 3000n,
      isLogged,
      isInTail,
      storeAway: true,
    }));
    return createQueryCore({ ...base, ...tiers, peers: lettingRead(WHOLE) });
  };

  it("reads from the log alone, folded and raw, wherever it has all that follows", async () => {
    const core = away((seq) => seq > 1000n);
    for (const raw of [false, true]) {
      const page = await core.listRecords("bob", conversation, { ...newest, afterSeq: 1195n, limit: 10, raw });
      assert.deepEqual([page.records.length, page.headSeq], [10, 3000n]);
      assert.equal(shownOf(page.records[4] ?? recordOf(1)).text, raw ? "message 1200" : "new");
      assert.equal((await core.listRecords("bob", conversation, { ...newest, raw })).records.length, 50);
    }
    assert.equal(
      (await core.listRecords("bob", conversation, { ...newest, beforeSeq: 1011n, limit: 10 })).firstSeq,
      1001n,
    );
  });

  it("begins in the tail what the log goes on with", async () => {
    const core = away(
      (seq) => seq > 2970n,
      (seq) => seq > 2940n && seq < 2980n,
    );
    assert.equal((await core.listRecords("bob", conversation, newest)).records.length, 50);
  });

  it("is UNAVAILABLE for what neither has", async () => {
    const core = away(
      (seq) => seq > 2970n,
      (seq) => seq > 2960n && seq < 2969n,
    );
    for (const raw of [false, true]) {
      const UNAVAILABLE = { reason: "ERROR_REASON_UNAVAILABLE" };
      await assert.rejects(core.listRecords("bob", conversation, { ...newest, raw }), UNAVAILABLE);
      await assert.rejects(core.listRecords("bob", conversation, { ...newest, afterSeq: 0n, raw }), UNAVAILABLE);
    }
  });

  it("finds a place in the log in a few steps", async () => {
    const base = tiersOf(() => ({ records: long, isStored: () => true, headSeq: 3000n, storeAway: true }));
    let asked = 0;
    const from: typeof base.log.from = (...given) => {
      asked++;
      return base.log.from(...given);
    };
    const core = createQueryCore({ ...base, log: { ...base.log, from }, peers: lettingRead(WHOLE) });
    await core.listRecords("bob", conversation, { ...newest, beforeSeq: 2500n });
    assert.ok(asked < 10, `${asked} reads`);
  });
});
