import { ServiceError } from "@oceanchat/runtime/fail";
import fc from "fast-check";
import type { GroupCore } from "../../src/core.ts";
import { Crash, type Death, dyingPorts } from "../support/crashing.ts";
import { type FakeConversations, fakeGroups, origin, request, settings } from "../support/fakes.ts";
import { checkAnswers, checkAtRest } from "../support/from-log.ts";

const USERS = ["a", "b", "c", "d", "e", "f"];
const user = fc.constantFrom(...USERS);
const action = fc.oneof(
  fc.record({
    do: fc.constant("invite" as const),
    by: user,
    whom: fc.uniqueArray(user, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ do: fc.constantFrom("join" as const, "leave" as const), by: user }),
  fc.record({ do: fc.constant("remove" as const), by: fc.constantFrom("a", "b"), whom: user }),
  fc.record({ do: fc.constant("role" as const), by: fc.constant("a"), whom: user, admin: fc.boolean() }),
  fc.record({ do: fc.constant("open" as const), by: fc.constant("a"), open: fc.boolean() }),
  fc.record({ do: fc.constant("say" as const) }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/** What goes on at once: each action at one of two instances, one of which may die. */
const burst = fc.record({
  actions: fc.array(fc.tuple(fc.constantFrom(0, 1), action), { minLength: 1, maxLength: 6 }),
  death: fc.option(fc.record({ at: fc.integer({ min: 1, max: 40 }), after: fc.boolean() }), {
    nil: undefined,
    freq: 2,
  }),
});
const run = fc.record({ bursts: fc.array(burst, { minLength: 1, maxLength: 6 }), seed: fc.nat() });

function take(core: GroupCore, conversations: FakeConversations, groupId: string, what: Action): unknown {
  switch (what.do) {
    case "invite":
      return core.invite(what.by, { groupId, userIds: what.whom }, origin);
    case "join":
      return core.join(what.by, groupId, origin);
    case "leave":
      return core.leave(what.by, groupId, origin);
    case "remove":
      return core.remove(what.by, { groupId, userId: what.whom }, origin);
    case "role":
      return core.updateMember(what.by, { groupId, userId: what.whom, role: what.admin ? "admin" : "member" }, origin);
    case "open":
      return core.update(
        what.by,
        { groupId, settings: { ...settings, joinPolicy: what.open ? "open" : "inviteOnly" } },
        origin,
      );
    case "say":
      return conversations.say(groupId);
  }
}

/** Waits for no, a few or many turns of the event loop: always the same for the same seed. */
function delays(seed: number): () => Promise<void> {
  let state = seed;
  return async () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const turns = state >>> 29 === 0 ? 60 : state >>> 30;
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
}

async function happens(
  fakes: ReturnType<typeof fakeGroups>,
  groupId: string,
  seed: number,
  given: typeof burst extends fc.Arbitrary<infer B> ? B : never,
) {
  const delay = delays(seed);
  const instance = (death: Death | undefined) => fakes.newCore(dyingPorts(fakes.ports, death, delay).ports);
  const instances = [instance(undefined), instance(given.death)];
  const outcomes = await Promise.allSettled(
    given.actions.map(async ([at, what]) => {
      const core = instances[at];
      if (core !== undefined) await take(core, fakes.conversations, groupId, what);
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled" || outcome.reason instanceof Crash) continue;
    if (!(outcome.reason instanceof ServiceError) || outcome.reason.reason.endsWith("INTERNAL")) throw outcome.reason;
  }
}

describe("changes at two instances at once, of which one may die", () => {
  it("leave a log without a gap, and answers that are what the log says", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(run, async ({ bursts, seed }) => {
        const fakes = fakeGroups();
        const open = { ...settings, joinPolicy: "open" } as const;
        const { groupId } = await fakes.core.create("a", request({ settings: open }), origin);
        for (const [i, each] of bursts.entries()) {
          await happens(fakes, groupId, seed + i, each);
          if (i % 2 === 0) await checkAnswers({ ...fakes, groupId }, USERS, seed);
        }
        await fakes.core.finishUnfinished(10);
        await checkAtRest({ ...fakes, groupId }, USERS);
      }),
      { numRuns: 200 },
    );
  });
});
