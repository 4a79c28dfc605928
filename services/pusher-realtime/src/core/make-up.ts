import { create } from "@bufbuild/protobuf";
import { TargetSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import type { Journal, Offline, Presence, When } from "../ports.ts";
import type { Deliver, Missed } from "./deliver.ts";
import type { Addressed } from "./frames.ts";
import { type Locations, locate } from "./locations.ts";
import type { Recipient } from "./packed-targets.ts";

/**
 * Makes up for what did not come to its connection: another connection of the user gets a hint of it, or he is told offline. Never
 * the record itself: what the orchestrator has sent meanwhile may have come there before it.
 */
export type MakeUp = (missed: readonly Missed[], traceparent: string) => Promise<void>;

const GATEWAYS_AT_ONCE = 8;
const NOTICES_AT_ONCE = 64;
/** As many as one task may name. */
const USERS_PER_NOTICE = 1000;

/** A user, one of whose connections did not get a record. */
interface Want {
  readonly addressed: Addressed;
  readonly userId: string;
  /** Whether another of his connections has it, or a hint of it. */
  reached: boolean;
  /**
   * Later when presence takes him for connected still, or can't be asked: his gateway has gone or is going, and he is probably about
   * to come back.
   */
  when: When;
}

/** A record for connections that were not tried yet, and whose they are. */
interface Retry {
  readonly addressed: Addressed & { readonly targets: Recipient[] };
  readonly wants: Map<string, Want>;
}

export function createMakeUp(needs: {
  readonly deliver: Deliver;
  readonly presence: Presence;
  readonly offline: Offline;
  readonly journal: Journal;
}): MakeUp {
  const { deliver, presence, offline, journal } = needs;
  return async (missed, traceparent) => {
    const wants = wantsOf(missed);
    const locations = await locate(presence, journal, new Set(wants.map(({ userId }) => userId)));
    await inTurns(retriesOf(wants, locations), GATEWAYS_AT_ONCE, async ([address, retries]) => {
      const records = [...retries.values()].map(({ addressed }) => addressed).sort(bySeq);
      markReached(retries, await deliver(address, records, traceparent));
    });
    let dropped = 0;
    await inTurns(noticesOf(wants.filter(isToBeTold)), NOTICES_AT_ONCE, async ({ record, when, userIds }) => {
      if (!(await offline.tell(userIds, record, when, traceparent))) dropped += userIds.length;
    });
    if (dropped > 0) journal.offlineFull(dropped);
  };
}

/** One for each record and user, in no particular order. */
function wantsOf(missed: readonly Missed[]): Want[] {
  const lost = new Map<Addressed, Map<string, Set<string>>>();
  for (const { addressed, target } of missed) {
    const ofRecord = lost.get(addressed) ?? new Map<string, Set<string>>();
    lost.set(addressed, ofRecord);
    const ofUser = ofRecord.get(target.userId) ?? new Set();
    ofRecord.set(target.userId, ofUser.add(target.connectionId));
  }
  return [...lost].flatMap(([addressed, ofRecord]) => {
    const wants = new Map(
      [...ofRecord.keys()].map((userId): [string, Want] => [
        userId,
        { addressed, userId, reached: false, when: "now" },
      ]),
    );
    for (const { userId, connectionId } of addressed.targets) {
      const want = wants.get(userId);
      if (want !== undefined && !ofRecord.get(userId)?.has(connectionId)) want.reached = true;
    }
    return [...wants.values()];
  });
}

/** By the gateway's address and the record: connections that presence knows and that have not been tried. */
function retriesOf(wants: readonly Want[], locations: Locations): Map<string, Map<Addressed, Retry>> {
  const byAddress = new Map<string, Map<Addressed, Retry>>();
  const tried = new Map<Addressed, Set<string>>();
  for (const want of wants) {
    const { addressed, userId } = want;
    const known = tried.get(addressed) ?? new Set(addressed.targets.map(({ connectionId }) => connectionId));
    tried.set(addressed, known);
    const connections = locations.of(userId);
    if (connections === undefined || connections.some(({ connectionId }) => known.has(connectionId)))
      want.when = "later";
    for (const { connectionId, deviceId, codec, address } of connections ?? []) {
      if (known.has(connectionId) || isSender(addressed, userId, deviceId)) continue;
      const retries = byAddress.get(address) ?? new Map<Addressed, Retry>();
      byAddress.set(address, retries);
      const retry: Retry = retries.get(addressed) ?? {
        addressed: { ...addressed, hintOnly: true, targets: [] },
        wants: new Map(),
      };
      retries.set(addressed, retry);
      retry.addressed.targets.push(create(TargetSchema, { connectionId, userId, codec }));
      retry.wants.set(userId, want);
    }
  }
  return byAddress;
}

function markReached(retries: ReadonlyMap<Addressed, Retry>, missed: readonly Missed[]): void {
  const lost = new Map<Addressed, Set<string>>();
  for (const { addressed, target } of missed) {
    lost.set(addressed, (lost.get(addressed) ?? new Set()).add(target.connectionId));
  }
  for (const { addressed, wants } of retries.values()) {
    for (const { connectionId, userId } of addressed.targets) {
      const want = wants.get(userId);
      if (want !== undefined && !lost.get(addressed)?.has(connectionId)) want.reached = true;
    }
  }
}

/** Users to be told of a record at the same time. */
interface Notice {
  readonly record: Record;
  readonly when: When;
  readonly userIds: readonly string[];
}

/** By the thousand. */
function* noticesOf(wants: readonly Want[]): Generator<Notice> {
  for (const [{ record }, untold] of Map.groupBy(wants, ({ addressed }) => addressed)) {
    for (const [when, told] of Map.groupBy(untold, (want) => want.when)) {
      const userIds = told.map(({ userId }) => userId);
      for (let from = 0; from < userIds.length; from += USERS_PER_NOTICE) {
        yield { record, when, userIds: userIds.slice(from, from + USERS_PER_NOTICE) };
      }
    }
  }
}

function isToBeTold({ addressed, userId, reached }: Want): boolean {
  return !reached && addressed.notify && userId !== addressed.record.senderUserId;
}

/** The device that sent a record has its answer already. */
function isSender({ record }: Addressed, userId: string, deviceId: string): boolean {
  return userId === record.senderUserId && deviceId !== "" && deviceId === record.senderDeviceId;
}

function bySeq(a: Addressed, b: Addressed): number {
  return a.record.seq < b.record.seq ? -1 : 1;
}
