import { create, toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Entry } from "../ports.ts";
import type { Located } from "./known-users.ts";
import type { Locations } from "./locator.ts";
import type { Addressed } from "./recipients.ts";

/** What a batch means for the push streams. */
export interface Plan {
  /** By gateway: what its connections get, in the order of the batch. */
  readonly online: ReadonlyMap<string, readonly Delivery[]>;
  /** Whom to tell offline, and of what. */
  readonly offline: readonly Notice[];
}

/** A record for connections of one gateway. */
export interface Delivery {
  readonly entry: Entry;
  /** The record as it travels, encoded. */
  readonly record: Uint8Array;
  readonly connections: readonly Located[];
  /** Whether users whose connection is gone should be told offline instead. */
  readonly notify: boolean;
}

/** A record and the users without a connection who should be told. */
export interface Notice {
  readonly entry: Entry;
  /** The same array for records that go to the same users. */
  readonly userIds: readonly string[];
}

/** A record larger than this, encoded, travels without its body. */
export const INLINE_BYTES = 4096;

/** The connections of some users. */
interface Reach {
  readonly byGateway: ReadonlyMap<string, readonly Located[]>;
  readonly absent: readonly string[];
}

/** Decides who gets what, where. */
export function plan(addressed: readonly Addressed[], locations: Locations): Plan {
  const online = new Map<string, Delivery[]>();
  const offline: Notice[] = [];
  const reaches = new Map<readonly string[], Reach>();
  for (const { entry, userIds } of addressed) {
    const reach = reaches.get(userIds) ?? reachOf(userIds, locations);
    reaches.set(userIds, reach);
    const { senderUserId, senderDeviceId } = entry.record;
    const notify = entry.record.body.case === "message";
    const record = portable(entry);
    const sending = sendingConnections(locations, senderUserId, senderDeviceId);
    for (const [gatewayId, all] of reach.byGateway) {
      const connections = sending.some((each) => each.gatewayId === gatewayId)
        ? all.filter((each) => !sending.includes(each))
        : all;
      if (connections.length === 0) continue;
      const delivery = { entry, record, connections, notify };
      const known = online.get(gatewayId);
      if (known === undefined) online.set(gatewayId, [delivery]);
      else known.push(delivery);
    }
    if (!notify) continue;
    const absent = withoutSender(reach.absent, senderUserId);
    if (absent.length > 0) offline.push({ entry, userIds: absent });
  }
  return { online, offline };
}

function reachOf(userIds: readonly string[], locations: Locations): Reach {
  const byGateway = new Map<string, Located[]>();
  const absent: string[] = [];
  for (const userId of userIds) {
    const connections = locations.of(userId);
    if (connections.length === 0) absent.push(userId);
    for (const located of connections) {
      const known = byGateway.get(located.gatewayId);
      if (known === undefined) byGateway.set(located.gatewayId, [located]);
      else known.push(located);
    }
  }
  return { byGateway, absent };
}

/** The same array where he isn't among them: what is made of it is made once. */
function withoutSender(absent: readonly string[], senderUserId: string): readonly string[] {
  return absent.includes(senderUserId) ? absent.filter((userId) => userId !== senderUserId) : absent;
}

/** The connections of the device that sent the record. It has its answer already. */
function sendingConnections(locations: Locations, userId: string, deviceId: string): readonly Located[] {
  if (deviceId === "") return [];
  return locations.of(userId).filter((each) => each.deviceId === deviceId);
}

/** The record as it travels: as it lies in the log, or without its body when that is large. */
function portable({ record, encoded }: Entry): Uint8Array {
  if (encoded.length <= INLINE_BYTES) return encoded;
  const { conversationId, seq, recordId, senderUserId, senderDeviceId, acceptedTime } = record;
  const reference = create(RecordSchema, { conversationId, seq, recordId, senderUserId, senderDeviceId });
  if (acceptedTime !== undefined) reference.acceptedTime = acceptedTime;
  return toBinary(RecordSchema, reference);
}
