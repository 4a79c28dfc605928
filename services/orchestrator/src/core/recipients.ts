import type { Entry } from "../ports.ts";
import { membersAfter, witnessesOf } from "./roster.ts";
import type { Roster, Rosters } from "./rosters.ts";

/** A record and who gets it. */
export interface Addressed {
  readonly entry: Entry;
  /** The same array for records that go to the same users one after another. */
  readonly userIds: readonly string[];
}

/** How many groups are asked for at the same time. */
const GROUPS_AT_ONCE = 8;

/** Finds the recipients of a batch, in its order. `done` is to be called when the batch has been handed over. */
export async function address(
  rosters: Rosters,
  batch: readonly Entry[],
): Promise<{ addressed: Addressed[]; done(): void }> {
  const ofEntry = new Map<Entry, readonly string[]>();
  const groups = new Map<string, Entry[]>();
  for (const entry of batch) {
    const { audience } = entry;
    if (audience.kind === "users") ofEntry.set(entry, audience.userIds);
    else if (!groups.get(audience.groupId)?.push(entry)) groups.set(audience.groupId, [entry]);
  }
  const last = new Map<string, Roster>();
  const waiting = [...groups];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [groupId, entries] = next;
      last.set(groupId, await follow(rosters, groupId, entries, ofEntry));
    }
  };
  await Promise.all(Array.from({ length: Math.min(GROUPS_AT_ONCE, waiting.length) }, work));
  return {
    addressed: batch.map((entry) => ({ entry, userIds: ofEntry.get(entry) ?? [] })),
    done: () => {
      for (const [groupId, roster] of last) rosters.keep(groupId, roster);
    },
  };
}

/** Walks along a group's records: each change of membership counts from its own record on. */
async function follow(
  rosters: Rosters,
  groupId: string,
  entries: readonly Entry[],
  ofEntry: Map<Entry, readonly string[]>,
): Promise<Roster> {
  let roster: Roster | undefined;
  for (const entry of entries) {
    const { conversationId, seq, body } = entry.record;
    if (roster?.seq !== seq - 1n) {
      roster = await rosters.before(groupId, { conversationId, seq, sequence: entry.sequence });
    }
    if (body.case === "membership") {
      const version = body.value.version === 0n ? undefined : body.value.version;
      ofEntry.set(entry, witnessesOf(roster.userIds, body.value));
      roster = { ...roster, userIds: membersAfter(roster.userIds, body.value), version, seq };
    } else {
      ofEntry.set(entry, roster.userIds);
      roster = { ...roster, seq };
    }
  }
  if (roster === undefined) throw new TypeError("no entries to follow");
  return roster;
}
