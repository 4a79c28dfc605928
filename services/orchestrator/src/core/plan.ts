import { create, toBinary } from "@bufbuild/protobuf";
import {
  type OnlineRecord,
  OnlineRecordSchema,
  type Target,
  TargetSchema,
} from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Entry } from "../ports.ts";
import type { Locations } from "./locations.ts";
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
  readonly online: OnlineRecord;
}

/** A record and the users without a connection who should be told. */
export interface Notice {
  readonly entry: Entry;
  readonly userIds: readonly string[];
}

/** A record larger than this, encoded, travels without its body. */
export const INLINE_BYTES = 4096;

/** The connections of some users. */
interface Reach {
  readonly byGateway: ReadonlyMap<string, readonly Target[]>;
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
      const targets =
        sending.get(gatewayId) === undefined ? all : all.filter((each) => !isOf(sending, gatewayId, each));
      if (targets.length === 0) continue;
      const delivery = { entry, online: onlineRecord(record, targets, notify) };
      const known = online.get(gatewayId);
      if (known === undefined) online.set(gatewayId, [delivery]);
      else known.push(delivery);
    }
    if (!notify) continue;
    const absent = reach.absent.filter((userId) => userId !== senderUserId);
    if (absent.length > 0) offline.push({ entry, userIds: absent });
  }
  return { online, offline };
}

function reachOf(userIds: readonly string[], locations: Locations): Reach {
  const byGateway = new Map<string, Target[]>();
  const absent: string[] = [];
  for (const userId of userIds) {
    const connections = locations.of(userId);
    if (connections.length === 0) absent.push(userId);
    for (const { gatewayId, connectionId, codec } of connections) {
      const target = create(TargetSchema, { connectionId, userId, codec });
      const known = byGateway.get(gatewayId);
      if (known === undefined) byGateway.set(gatewayId, [target]);
      else known.push(target);
    }
  }
  return { byGateway, absent };
}

/** By gateway: the connections of the device that sent the record. It has its answer already. */
function sendingConnections(locations: Locations, userId: string, deviceId: string): Map<string, Set<string>> {
  const sending = new Map<string, Set<string>>();
  if (deviceId === "") return sending;
  for (const connection of locations.of(userId)) {
    if (connection.deviceId !== deviceId) continue;
    const known = sending.get(connection.gatewayId) ?? new Set();
    sending.set(connection.gatewayId, known.add(connection.connectionId));
  }
  return sending;
}

function isOf(connections: ReadonlyMap<string, ReadonlySet<string>>, gatewayId: string, target: Target): boolean {
  return connections.get(gatewayId)?.has(target.connectionId) ?? false;
}

/** The fields are set, not given to `create`, which would copy a list of thousands. */
function onlineRecord(record: Record, targets: readonly Target[], notify: boolean): OnlineRecord {
  const online = create(OnlineRecordSchema, { notify });
  online.record = record;
  online.targets = targets as Target[];
  return online;
}

/** The record as it travels: without its body when that is large. */
function portable({ record, bytes }: Entry): Record {
  if (bytes <= INLINE_BYTES || toBinary(RecordSchema, record).length <= INLINE_BYTES) return record;
  const { conversationId, seq, recordId, senderUserId, senderDeviceId, acceptedTime } = record;
  const reference = create(RecordSchema, { conversationId, seq, recordId, senderUserId, senderDeviceId });
  if (acceptedTime !== undefined) reference.acceptedTime = acceptedTime;
  return reference;
}
