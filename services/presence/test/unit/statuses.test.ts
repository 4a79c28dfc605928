import assert from "node:assert/strict";
import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { createExpiries } from "../../src/core/expiries.ts";
import { writeLastSeen } from "../../src/core/last-seen.ts";
import { setStatus } from "../../src/core/set-status.ts";
import { Statuses } from "../../src/core/statuses.ts";
import type { Choice } from "../../src/ports.ts";
import { everyTurn, fakeChanges, fakeLeft, fakeStatuses, online } from "../support/fakes.ts";

const choice = (status: Status, text = "", expireMs?: number): Choice => ({ status, text, expireMs });

function world(options: { readonly live?: boolean } = {}) {
  const clock = { ms: 10_000 };
  const now = () => clock.ms;
  const { store: statusStore, stored, reads } = fakeStatuses();
  const { store: left, left: gone } = fakeLeft();
  const { changes, marked } = fakeChanges();
  const failures: unknown[] = [];
  const statuses = new Statuses(statusStore, now, (error) => failures.push(error));
  const needs = {
    statusStore,
    statuses,
    left,
    changes,
    now,
    isLive: async () => options.live ?? true,
    turns: everyTurn,
  };
  return {
    clock,
    stored,
    reads,
    gone,
    marked,
    failures,
    needs,
    statuses,
    set: (c: Choice) => setStatus(needs, "u", c),
  };
}

describe("statuses", () => {
  it("count until they expire, and are online without a choice", async () => {
    const { clock, set, statuses } = world();
    assert.equal((await statuses.of(["x"])).get("x")?.status, Status.ONLINE);
    await set(choice(Status.BUSY, "  in a meeting ", 11_000));
    assert.deepEqual((await statuses.of(["u"])).get("u"), {
      status: Status.BUSY,
      text: "in a meeting",
      lastSeenMs: undefined,
    });
    clock.ms = 11_000;
    const after = (await statuses.of(["u"])).get("u");
    assert.deepEqual([after?.status, after?.text], [Status.ONLINE, ""]);
  });

  it("refuse offline, and an end that has passed", async () => {
    const { set, stored } = world();
    await assert.rejects(set(choice(Status.OFFLINE)), { reason: "ERROR_REASON_INVALID_FIELD" });
    await assert.rejects(set(choice(Status.BUSY, "", 10_000)), { reason: "ERROR_REASON_INVALID_FIELD" });
    assert.equal(stored.size, 0);
  });

  it("are remembered for a second, unless they are asked for afresh", async () => {
    const { clock, statuses, stored, reads } = world();
    await statuses.of(["u"]);
    stored.set("u", { ...online, status: Status.AWAY });
    assert.equal((await statuses.of(["u"])).get("u")?.status, Status.ONLINE);
    assert.equal(reads(), 1);
    assert.equal((await statuses.of(["u"], true)).get("u")?.status, Status.AWAY);
    stored.set("u", { ...online, status: Status.INVISIBLE });
    clock.ms += 1_001;
    assert.equal((await statuses.of(["u"])).get("u")?.status, Status.INVISIBLE);
  });

  it("leave users out while the store is away, and ask it once in a second", async () => {
    const { clock, statuses, needs, failures } = world();
    let asked = 0;
    needs.statusStore.read = async () => {
      asked += 1;
      throw new Error("away");
    };
    assert.equal((await statuses.of(["u"])).size, 0);
    assert.equal((await statuses.of(["u"])).size, 0);
    assert.deepEqual([asked, failures.length], [1, 1]);
    clock.ms += 1_001;
    await statuses.of(["u"]);
    assert.equal(asked, 2);
  });

  it("are marked when they change", async () => {
    const { set, marked } = world();
    await set(choice(Status.AWAY));
    assert.deepEqual(marked, ["u"]);
  });
});

describe("when somebody was last seen", () => {
  it("is when he became invisible, and isn't moved when he does so again", async () => {
    const { clock, set, stored } = world();
    await set(choice(Status.INVISIBLE));
    clock.ms = 20_000;
    await set(choice(Status.INVISIBLE, "again"));
    assert.equal(stored.get("u")?.lastSeenMs, 10_000);
  });

  it("isn't moved by hiding without being here, but for a farewell that isn't written yet", async () => {
    const away = world({ live: false });
    await away.set(choice(Status.INVISIBLE));
    assert.equal(away.stored.get("u")?.lastSeenMs, undefined);
    const leaving = world({ live: false });
    await leaving.needs.left.note(["u"], 9_000);
    await leaving.set(choice(Status.INVISIBLE));
    assert.equal(leaving.stored.get("u")?.lastSeenMs, 9_000);
  });

  it("is written for those who have gone, never back, and marked again", async () => {
    const { needs, stored, gone, marked } = world();
    stored.set("late", { ...online, lastSeenMs: 9_000 });
    await needs.left.note(["u"], 8_000);
    await needs.left.note(["late"], 8_000);
    await writeLastSeen(needs);
    assert.deepEqual([stored.get("u")?.lastSeenMs, stored.get("late")?.lastSeenMs], [8_000, 9_000]);
    assert.equal(gone.size, 0);
    assert.deepEqual(marked.sort(), ["late", "u"]);
  });

  it("isn't written for who was invisible then, also when that has ended since", async () => {
    const { needs, stored, gone } = world();
    stored.set("hidden", { ...online, status: Status.INVISIBLE, lastSeenMs: 5_000 });
    stored.set("ended", { ...online, status: Status.INVISIBLE, expireMs: 8_500, lastSeenMs: 5_000 });
    stored.set("over", { ...online, status: Status.INVISIBLE, expireMs: 7_000, lastSeenMs: 5_000 });
    await needs.left.note(["hidden", "ended", "over"], 8_000);
    await writeLastSeen(needs);
    const seen = ["hidden", "ended", "over"].map((userId) => stored.get(userId)?.lastSeenMs);
    assert.deepEqual(seen, [5_000, 5_000, 8_000]);
    assert.equal(gone.size, 0, "nothing waits for ever");
  });

  it("waits while the store is away, and takes bounded rounds", async () => {
    const { needs, gone } = world();
    await needs.left.note(
      Array.from({ length: 6_000 }, (_, index) => `u${index}`),
      8_000,
    );
    const { seen } = needs.statusStore;
    needs.statusStore.seen = async () => Promise.reject(new Error("away"));
    await assert.rejects(writeLastSeen(needs), /away/);
    assert.equal(gone.size, 6_000);
    const sizes: number[] = [];
    needs.statusStore.seen = async (batch) => {
      sizes.push(batch.size);
      await seen(batch);
    };
    await writeLastSeen(needs);
    assert.deepEqual([sizes, gone.size], [[1_000, 1_000, 1_000, 1_000, 1_000], 1_000]);
  });
});

describe("the end of a status", () => {
  it("is marked once, in order, and none of many that end together is left out", async () => {
    const { needs, clock, stored, marked } = world();
    const noteExpiries = createExpiries(needs);
    for (let n = 0; n < 1_200; n++) stored.set(`u${n}`, { ...online, status: Status.BUSY, expireMs: 12_000 });
    stored.set("later", { ...online, status: Status.BUSY, expireMs: 99_000 });
    await noteExpiries();
    assert.equal(marked.length, 0);
    clock.ms = 12_000;
    await noteExpiries();
    assert.equal(new Set(marked).size, 1_200);
    await noteExpiries();
    assert.equal(marked.length, 1_200);
  });
});
