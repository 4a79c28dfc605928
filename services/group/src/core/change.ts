import { Code } from "@connectrpc/connect";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Change, DataChange, Group, MembersChange, Origin } from "../ports.ts";
import { apply } from "./apply.ts";
import type { GroupContext } from "./context.ts";

/** How long somebody else's change is watched before it is finished here: whoever began it has probably died. */
const PATIENCE_MS = 500;
const FIRST_PAUSE_MS = 4;
const LONGEST_PAUSE_MS = 50;
/** How often other changes may come first before a change is given up. */
const MAX_ROUNDS = 200;
/** Changes that fail in one round of `finishUnfinished` before it gives up: the others would fail as well. */
const MAX_FAILURES = 3;
const NO_ORIGIN: Origin = { traceparent: "", requestId: "" };

/** Who comes, who goes, whose role changes. */
export type MembersDraft = Omit<MembersChange, "kind" | "version" | "memberCount">;

/** What a change begins with, by a group that has none under way. Undefined: there is nothing to change. */
export type Decide = (group: Group) => Promise<Change | undefined>;

/**
 * Changes a group. The log decides: the change is noted in the group, its record appended, and what the record says is applied
 * with the record's seq. Whatever ends this halfway, the next one who looks at the group or `finishUnfinished` goes on from the note.
 * One change at a time: `decide` sees the group as all changes before have left it.
 */
export function changeGroup(context: GroupContext, groupId: string, origin: Origin, decide: Decide): Promise<Group> {
  return context.turns.run(groupId, async () => {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const group = await settled(context, groupId);
      if (group === undefined) throw errors.groupNotFound();
      const change = await decide(group);
      if (change === undefined) return group;
      if (await context.groups.begin(group, change)) return carryOut(context, group, change, 1, origin);
      await context.pause(FIRST_PAUSE_MS * (1 + (round % 8)));
    }
    throw shared.unavailable("the group is changed by too many at once", undefined, 500);
  });
}

/** Appends the record of a noted change and applies it. */
export async function carryOut(
  context: GroupContext,
  group: Group,
  change: Change,
  attempt: number,
  origin: Origin,
): Promise<Group> {
  const { groupId } = group;
  const { changeId } = change;
  try {
    return await apply(
      context,
      group,
      change,
      await context.conversations.append({ groupId, change, attempt }, origin),
    );
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === Code.InvalidArgument) {
      // The log will never take it, whoever tries.
      await context.groups.abandon(groupId, changeId);
      throw shared.internal(error);
    }
    // Even when nothing is appended yet: it will be.
    throw shared.outcomeUnknown("the change is noted and will be finished", error);
  }
}

/**
 * The group with no change under way. A change that somebody else is making is waited for, and finished here when it doesn't go
 * on. Undefined when there is no such group. Rejects with UNAVAILABLE when the change can't be finished.
 */
export async function settled(context: GroupContext, groupId: string): Promise<Group | undefined> {
  let watched: string | undefined;
  let waitedMs = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const group = await context.groups.group(groupId);
    if (group?.pending === undefined) return group;
    if (group.pending.changeId !== watched) {
      watched = group.pending.changeId;
      waitedMs = 0;
      pauseMs = FIRST_PAUSE_MS;
    } else if (waitedMs >= PATIENCE_MS) {
      await finish(context, group, group.pending);
      continue;
    }
    await context.pause(pauseMs);
    waitedMs += pauseMs;
  }
}

async function finish(context: GroupContext, group: Group, change: Change): Promise<void> {
  try {
    await carryOut(context, group, change, 2, NO_ORIGIN);
  } catch (error) {
    throw shared.unavailable("a change of the group can't be finished at the moment", error);
  }
}

/** A new change of the member list. */
export function membersChange(context: GroupContext, group: Group, actorUserId: string, draft: MembersDraft): Change {
  const { joined, left, removed } = draft;
  const memberCount = group.memberCount + joined.length - left.length - removed.length;
  const what: MembersChange = { kind: "members", ...draft, version: group.version + 1n, memberCount };
  return newChange(context, actorUserId, what, [...joined, ...left, ...removed]);
}

/** A new change of the group's own data. */
export function dataChange(context: GroupContext, actorUserId: string, data: Omit<DataChange, "kind">): Change {
  return newChange(context, actorUserId, { kind: "data", ...data }, []);
}

function newChange({ newId, now }: GroupContext, actorUserId: string, what: Change["what"], touched: string[]): Change {
  return { changeId: newId(), actorUserId, startTime: new Date(now()), touched, what };
}

/** Finishes what crashes left, at most `limit` changes. Answers how many it finished, and what went wrong with others. */
export async function finishUnfinished(
  context: GroupContext,
  limit: number,
): Promise<{ finished: number; failures: { groupId: string; error: unknown }[] }> {
  const failures: { groupId: string; error: unknown }[] = [];
  let finished = 0;
  const found = await context.groups.unfinished(limit);
  if (found.length > 0) await context.pause(PATIENCE_MS);
  for (const { groupId, pending } of found) {
    if (failures.length >= MAX_FAILURES) break;
    try {
      const group = await context.groups.group(groupId);
      if (group?.pending === undefined || group.pending.changeId !== pending?.changeId) continue;
      await finish(context, group, group.pending);
      finished++;
    } catch (error) {
      failures.push({ groupId, error });
    }
  }
  return { finished, failures };
}
