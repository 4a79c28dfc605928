import assert from "node:assert/strict";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { GroupCore } from "../../src/core.ts";
import type { MembersChange } from "../../src/ports.ts";
import type { FakeConversations } from "./fakes.ts";
import type { MemoryStore } from "./memory-store.ts";

type Stretches = [bigint, bigint][];

/** What a log says of its group: who may read what, by the records alone. */
export function fromLog(changes: readonly { readonly seq: bigint; readonly what: MembersChange }[]) {
  const stretches = new Map<string, Stretches>();
  for (const { seq, what } of changes) {
    for (const userId of what.joined) {
      const before = stretches.get(userId) ?? [];
      const last = before.at(-1);
      if (last?.[1] === seq - 1n) last[1] = 0n;
      else before.push([seq, 0n]);
      stretches.set(userId, before);
    }
    for (const userId of [...what.left, ...what.removed]) {
      const last = stretches.get(userId)?.at(-1);
      assert.equal(last?.[1], 0n, `${userId} goes at ${seq} without being there`);
      if (last !== undefined) last[1] = seq;
    }
  }
  const members = [...stretches].filter(([, all]) => all.at(-1)?.[1] === 0n).map(([userId]) => userId);
  return { stretches, members: members.sort() };
}

interface Checked {
  readonly core: GroupCore;
  readonly store: MemoryStore;
  readonly conversations: FakeConversations;
  readonly groupId: string;
}

const membersChanges = ({ conversations, groupId }: Checked) =>
  conversations
    .changes(groupId)
    .flatMap(({ seq, change: { what } }) => (what.kind === "members" ? [{ seq, what }] : []));

type Check = (checked: Checked, userIds: readonly string[]) => Promise<void>;

/** Whoever is gone may not write. Who is there may not yet, either. */
const checkSending: Check = async (checked, userIds) => {
  const { members } = fromLog(membersChanges(checked));
  for (const userId of userIds) {
    const { verdict } = await checked.core.checkSend(checked.groupId, userId, false);
    if (!members.includes(userId)) assert.equal(verdict, SendVerdict.NOT_A_MEMBER, `${userId} may write`);
  }
};

const checkList: Check = async (checked) => {
  const { userIds, version } = await checked.core.listMemberIds({ ...checked, afterUserId: "", limit: 0 });
  const changes = membersChanges(checked);
  assert.deepEqual([userIds, version], [fromLog(changes).members, BigInt(changes.length)]);
};

const checkReading: Check = async (checked, userIds) => {
  for (const userId of userIds) {
    const answer = await checked.core.checkRead(checked.groupId, userId);
    const { stretches } = fromLog(membersChanges(checked));
    assert.deepEqual(
      answer.map(({ fromSeq, toSeq }) => [fromSeq, toSeq]),
      stretches.get(userId) ?? [],
      userId,
    );
  }
};

const checkMemberships: Check = async (checked, userIds) => {
  for (const userId of userIds) {
    const request = { userId, afterGroupId: "", limit: 0, leftSince: new Date(0) };
    const { memberships } = await checked.core.listMemberships(request);
    const last = fromLog(membersChanges(checked)).stretches.get(userId)?.at(-1);
    assert.deepEqual(
      memberships.map(({ fromSeq, toSeq }) => [fromSeq, toSeq]),
      last === undefined ? [] : [last],
      userId,
    );
  }
};

const CHECKS = [checkList, checkReading, checkMemberships];
/** In how many orders the questions may be asked: whichever comes first finishes what is under way. */
export const ORDERS = CHECKS.length;

/** Checks that what group answers is what the log says, whatever is under way. */
export async function checkAnswers(checked: Checked, userIds: readonly string[], order: number): Promise<void> {
  await checkSending(checked, userIds);
  const first = order % ORDERS;
  for (const check of [...CHECKS.slice(first), ...CHECKS.slice(0, first)]) await check(checked, userIds);
}

/** Checks a group at rest. */
export async function checkAtRest(checked: Checked, userIds: readonly string[]): Promise<void> {
  const { store, conversations, groupId } = checked;
  const changes = conversations.changes(groupId);
  assert.equal(new Set(changes.map(({ change }) => change.changeId)).size, changes.length, "each change once");
  const versions = changes.flatMap(({ change: { what } }) => (what.kind === "members" ? [what.version] : []));
  assert.deepEqual(
    versions,
    versions.map((_, i) => BigInt(i + 1)),
    "versions without a gap",
  );
  await checkAnswers(checked, userIds, 0);
  const group = store.groupsById.get(groupId);
  assert.equal(group?.pending, undefined);
  if (changes.length === 0) return;
  assert.deepEqual([group?.version, group?.lastChangeId], [versions.at(-1), changes.at(-1)?.change.changeId]);
  assert.equal(group?.memberCount, [...store.membersById.values()].filter(({ toSeq }) => toSeq === undefined).length);
}
