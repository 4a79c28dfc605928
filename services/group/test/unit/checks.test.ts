import assert from "node:assert/strict";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { Group, Member } from "../../src/ports.ts";
import { fakeGroups, origin, request } from "../support/fakes.ts";

/** A group of owner a, admin b, member c; changed as a case needs it. */
async function given(change: { readonly group?: Partial<Group>; readonly c?: Partial<Member> } = {}) {
  const { core, store, clock } = fakeGroups();
  const group = await core.create("a", request(), origin);
  const { groupId } = group;
  store.groupsById.set(groupId, { ...group, ...change.group });
  const alter = (userId: string, with_: Partial<Member>) => {
    const member = store.membersById.get(`${groupId}:${userId}`);
    if (member !== undefined) store.membersById.set(`${groupId}:${userId}`, { ...member, ...with_ });
  };
  alter("b", { role: "admin" });
  alter("c", change.c ?? {});
  const verdicts = (mentionsAll = false) =>
    Promise.all(["a", "b", "c", "z"].map(async (id) => (await core.checkSend(groupId, id, mentionsAll)).verdict));
  return { core, groupId, clock, verdicts };
}

const { ALLOWED, NOT_A_MEMBER, MUTED, ALL_MUTED, MAY_NOT_MENTION_ALL } = SendVerdict;

describe("CheckSend", () => {
  it("lets members write, and says their role", async () => {
    const { core, groupId, verdicts } = await given();
    assert.deepEqual(await verdicts(), [ALLOWED, ALLOWED, ALLOWED, NOT_A_MEMBER]);
    assert.deepEqual(await core.checkSend(groupId, "b", false), { verdict: ALLOWED, role: "admin" });
    assert.deepEqual(await core.checkSend("no group", "b", false), { verdict: NOT_A_MEMBER, role: undefined });
  });

  it("lets nobody write who has left", async () => {
    const { verdicts } = await given({ c: { toSeq: 9n } });
    assert.deepEqual(await verdicts(), [ALLOWED, ALLOWED, NOT_A_MEMBER, NOT_A_MEMBER]);
  });

  it("stops who is muted, until the mute ends", async () => {
    const { verdicts, clock } = await given({ c: { mutedUntil: new Date(1_060_000) } });
    assert.deepEqual(await verdicts(), [ALLOWED, ALLOWED, MUTED, NOT_A_MEMBER]);
    clock.ms = 1_060_000;
    assert.deepEqual(await verdicts(), [ALLOWED, ALLOWED, ALLOWED, NOT_A_MEMBER]);
  });

  it("lets owner and admins alone write when all are muted", async () => {
    const { verdicts } = await given({ group: { mutedAll: true } });
    assert.deepEqual(await verdicts(), [ALLOWED, ALLOWED, ALL_MUTED, NOT_A_MEMBER]);
  });

  it("lets members mention all only where the settings say so", async () => {
    assert.deepEqual(await (await given()).verdicts(true), [ALLOWED, ALLOWED, MAY_NOT_MENTION_ALL, NOT_A_MEMBER]);
    const settings = {
      joinPolicy: "open",
      membersMayInvite: true,
      membersMayMentionAll: true,
      openHistory: false,
    } as const;
    const { verdicts } = await given({ group: { settings } });
    assert.deepEqual(await verdicts(true), [ALLOWED, ALLOWED, ALLOWED, NOT_A_MEMBER]);
  });
});

describe("CheckRead", () => {
  it("gives members everything, former members what was while they were, strangers nothing", async () => {
    const { core, groupId } = await given({ c: { fromSeq: 4n, toSeq: 9n } });
    assert.deepEqual(await core.checkRead(groupId, "a"), [{ fromSeq: 1n, toSeq: 0n }]);
    assert.deepEqual(await core.checkRead(groupId, "c"), [{ fromSeq: 4n, toSeq: 9n }]);
    assert.deepEqual(await core.checkRead(groupId, "z"), []);
  });
});
