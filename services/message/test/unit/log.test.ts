import assert from "node:assert/strict";
import { conversationLog, directLog, otherOf, targetLog, uuidOf } from "../../src/core/log.ts";
import { reason, uuid } from "../support/fakes.ts";

const [alice, bob, carol] = [uuid(1), uuid(2), uuid(3)];
const id = (conversationId: string) => ({ case: "conversationId", value: conversationId }) as const;

describe("the target of a message", () => {
  it("is the same direct conversation for both of its users", () => {
    const wanted = `d_${alice}_${bob}`;
    assert.equal(targetLog({ case: "userId", value: bob }, alice).id, wanted);
    assert.equal(targetLog({ case: "userId", value: alice }, bob).id, wanted);
    assert.equal(targetLog(id(wanted), bob).id, wanted);
    assert.deepEqual(directLog(bob, alice).userIds, [alice, bob]);
    assert.equal(otherOf(directLog(bob, alice), bob), alice);
    assert.equal(otherOf(directLog(bob, alice), alice), bob);
  });

  it("is a group by its id or its conversation's", () => {
    assert.equal(targetLog({ case: "groupId", value: carol }, alice).id, `g_${carol}`);
    assert.deepEqual(targetLog(id(`g_${carol}`), alice), { kind: "group", id: `g_${carol}`, groupId: carol });
  });

  it("is found whatever the case of a user's or group's id", () => {
    const upper = "ABCDEF00-0000-7000-8000-00000000000A";
    assert.equal(targetLog({ case: "userId", value: upper }, alice).id, `d_${alice}_${upper.toLowerCase()}`);
    assert.equal(targetLog({ case: "groupId", value: upper }, alice).id, `g_${upper.toLowerCase()}`);
    assert.throws(() => targetLog({ case: "userId", value: upper }, upper.toLowerCase()), reason("SELF"));
  });

  it("is not oneself", () => {
    assert.throws(() => targetLog({ case: "userId", value: alice }, alice), reason("SELF"));
  });

  it("is not a direct conversation of others", () => {
    assert.throws(() => targetLog(id(`d_${alice}_${bob}`), carol), reason("NOT_A_MEMBER"));
  });

  for (const [what, value] of [
    ["users in descending order", `d_${bob}_${alice}`],
    ["one user twice", `d_${alice}_${alice}`],
    ["no UUID", `d_${alice}_${"-".repeat(36)}`],
    ["a group that is no UUID", `g_${"0".repeat(36)}`],
    ["an upper-case UUID", "g_ABCDEF00-0000-7000-8000-00000000000A"],
    ["a user's own log", `u_${alice}`],
    ["something behind it", `d_${alice}_${bob}x`],
    ["a wildcard", "g_*"],
    ["nothing", ""],
  ] as const) {
    it(`is not a conversation id with ${what}`, () => {
      assert.equal(conversationLog(value), undefined);
      assert.throws(() => targetLog(id(value), alice), reason("NOT_A_MEMBER"));
    });
  }

  it("must be named, by a UUID", () => {
    assert.throws(() => targetLog({ case: undefined }, alice), reason("INVALID_FIELD"));
    assert.throws(() => targetLog({ case: "userId", value: "bob" }, alice), reason("INVALID_FIELD"));
    assert.throws(() => targetLog({ case: "groupId", value: "a.>" }, alice), reason("INVALID_FIELD"));
    assert.throws(() => uuidOf("user_id", `${alice}\n`), reason("INVALID_FIELD"));
  });
});
