import assert from "node:assert/strict";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Presence, Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { Leases } from "../../src/core/leases.ts";
import { Statuses } from "../../src/core/statuses.ts";
import { createView, presenceOf, type Sight, type UserState } from "../../src/core/view.ts";
import type { Pair } from "../../src/ports.ts";
import { connection, fakeConnections, fakeLeft, fakeStatuses, online } from "../support/fakes.ts";

const state: UserState = { userId: "u", live: true, chosen: Status.BUSY, text: "hm", lastSeenMs: 5_000 };
const looks = ({ status, statusText, lastSeenTime }: Presence) => [
  status,
  statusText,
  lastSeenTime === undefined ? undefined : timestampMs(lastSeenTime),
];
const shown = (change: Partial<UserState>, sight: Sight) => looks(presenceOf({ ...state, ...change }, sight));

describe("how a user looks", () => {
  it("while he is here: his status and words, not when he was last seen", () => {
    for (const sight of ["all", "status", "own"] as const)
      assert.deepEqual(shown({}, sight), [Status.BUSY, "hm", undefined]);
  });

  it("while he isn't: when he was last seen, to those who may know it", () => {
    assert.deepEqual(shown({ live: false }, "all"), [Status.OFFLINE, "", 5_000]);
    assert.deepEqual(shown({ live: false }, "status"), [Status.OFFLINE, "", undefined]);
    assert.deepEqual(shown({ live: false }, "own"), [Status.OFFLINE, "hm", 5_000]);
  });

  it("invisible: exactly as if he weren't here, but to himself", () => {
    for (const sight of ["all", "status", "nothing"] as const) {
      const hidden = shown({ chosen: Status.INVISIBLE }, sight);
      assert.deepEqual(hidden, shown({ live: false, chosen: Status.ONLINE }, sight));
    }
    assert.deepEqual(shown({ chosen: Status.INVISIBLE }, "own"), [Status.INVISIBLE, "hm", undefined]);
    assert.deepEqual(shown({ chosen: Status.INVISIBLE, live: false }, "own"), [Status.INVISIBLE, "hm", undefined]);
  });

  it("to who may see nothing, and when his status can't be read: offline, and nothing else", () => {
    for (const live of [true, false]) {
      assert.deepEqual(shown({ live }, "nothing"), [Status.OFFLINE, "", undefined]);
      for (const sight of ["all", "own"] as const) {
        assert.deepEqual(shown({ live, chosen: undefined }, sight), [Status.OFFLINE, "", undefined]);
      }
    }
  });
});

describe("the view", () => {
  function world(verdict: (pair: Pair) => PresenceVerdict) {
    const clock = { ms: 0 };
    const now = () => clock.ms;
    const { store } = fakeConnections(
      [connection("c1", "g1", "bob"), connection("c2", "dead", "eve")],
      new Map([["g1", "a:1"]]),
    );
    const { store: statusStore, stored } = fakeStatuses();
    const { store: left } = fakeLeft();
    const asked: Pair[] = [];
    const users = {
      checkPresence: async (pairs: readonly Pair[]) => {
        asked.push(...pairs);
        return pairs.map(verdict);
      },
    };
    const statuses = new Statuses(statusStore, now, () => {});
    const view = createView({ store, leases: new Leases(store, now), statuses, left, users, now });
    return { clock, view, asked, users, stored, left };
  }
  const statusesOf = (presences: readonly Presence[]) => presences.map(({ userId, status }) => [userId, status]);

  it("gives one for each asked for, in order, twice if asked twice", async () => {
    const { view, asked } = world(() => PresenceVerdict.ALL);
    const presences = await view.view("ann", ["bob", "eve", "bob", "ann"]);
    assert.deepEqual(statusesOf(presences), [
      ["bob", Status.ONLINE],
      ["eve", Status.OFFLINE],
      ["bob", Status.ONLINE],
      ["ann", Status.OFFLINE],
    ]);
    assert.deepEqual(
      asked.map(({ userId }) => userId),
      ["bob", "eve"],
      "not about oneself, and not twice",
    );
  });

  it("asks again after a second, and believes nobody longer", async () => {
    const verdict = { now: PresenceVerdict.ALL as PresenceVerdict };
    const { view, clock, asked } = world(() => verdict.now);
    await view.view("ann", ["bob"]);
    verdict.now = PresenceVerdict.HIDDEN;
    assert.deepEqual(statusesOf(await view.view("ann", ["bob"])), [["bob", Status.ONLINE]]);
    clock.ms = 1_001;
    assert.deepEqual(statusesOf(await view.view("ann", ["bob"])), [["bob", Status.OFFLINE]]);
    assert.equal(asked.length, 2);
  });

  it("shows nothing when user can't be asked, but oneself", async () => {
    const { view, users } = world(() => PresenceVerdict.ALL);
    users.checkPresence = async () => Promise.reject(shared.unavailable("user is away"));
    await assert.rejects(view.view("ann", ["bob"]), { reason: "ERROR_REASON_UNAVAILABLE" });
    assert.deepEqual(statusesOf(await view.view("bob", ["bob"])), [["bob", Status.ONLINE]]);
  });

  it("takes a verdict that is missing or never heard of as hidden", async () => {
    const { view, users } = world(() => PresenceVerdict.UNSPECIFIED);
    assert.deepEqual(await view.sightsOf([{ viewerId: "ann", userId: "bob" }]), ["nothing"]);
    users.checkPresence = async () => [];
    assert.deepEqual(await view.sightsOf([{ viewerId: "ann", userId: "eve" }]), ["nothing"]);
  });

  it("knows when somebody has gone before it is written, unless he is invisible", async () => {
    const { view, left, stored } = world(() => PresenceVerdict.ALL);
    stored.set("eve", { ...online, lastSeenMs: 3_000 });
    stored.set("ivy", { ...online, status: Status.INVISIBLE, lastSeenMs: 3_000 });
    await left.note(["eve", "ivy", "joe"], 4_000);
    const seen = (await view.statesOf(["eve", "ivy", "joe"])).map(({ lastSeenMs }) => lastSeenMs);
    assert.deepEqual(seen, [4_000, 3_000, 4_000]);
  });
});
