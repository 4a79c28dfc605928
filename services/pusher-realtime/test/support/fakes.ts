import { create, fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { ConnectionSchema, GatewaySchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Clock, Gateways, Journal, Offline, Parcel, Presence, Receipt, When } from "../../src/ports.ts";

/** What a payload says: `5,6` for records, `hint 6` for a hint. */
export function said(payload: Uint8Array): string {
  const { event } =
    payload[0] === 0x7b
      ? fromJsonString(ServerPacketSchema, Buffer.from(payload).toString())
      : fromBinary(ServerPacketSchema, payload);
  if (event.case === "records") return event.value.records.map(({ seq }) => seq).join();
  return event.case === "hint" ? `hint ${event.value.headSeq}` : String(event.case);
}

/** Gateways with the connections that they hold. */
export class FakeGateways implements Gateways {
  readonly connections = new Map<string, Set<string>>();
  readonly log: string[] = [];
  readonly parcels: Parcel[] = [];
  /** What happens instead, the next times. */
  readonly next: Receipt[] = [];
  running = 0;
  mostRunning = 0;

  hold(address: string, ...connections: string[]): void {
    this.connections.set(address, new Set(connections));
  }

  async deliver(address: string, parcel: Parcel): Promise<Receipt> {
    const instead = this.next.shift();
    this.log.push(
      `${address} ${said(parcel.payload)} → ${parcel.connectionIds.join(" ")}${instead ? ` ${instead.kind}` : ""}`,
    );
    this.parcels.push(parcel);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    await new Promise((resolve) => setImmediate(resolve));
    this.running--;
    if (instead !== undefined) return instead;
    const held = this.connections.get(address);
    if (held === undefined) return { kind: "unreachable" };
    return { kind: "done", unknownConnectionIds: parcel.connectionIds.filter((id) => !held.has(id)) };
  }
}

/** Presence: `{ "bob/2": "gw2:1" }`. */
export class FakePresence implements Presence {
  where: { readonly [connection: string]: string } = {};
  asked = 0;
  down = false;

  async locate(userIds: readonly string[]) {
    this.asked++;
    if (this.down) throw new Error("presence is down");
    const connections = Object.entries(this.where).flatMap(([connectionId, gatewayId]) => {
      const [userId = "", deviceId = ""] = connectionId.split("/");
      return userIds.includes(userId) ? [create(ConnectionSchema, { connectionId, userId, deviceId, gatewayId })] : [];
    });
    const gateways = [...new Set(Object.values(this.where))].map((address) =>
      create(GatewaySchema, { gatewayId: address, address }),
    );
    return { connections, gateways };
  }
}

export class FakeOffline implements Offline {
  /** At once. */
  readonly told: string[] = [];
  readonly later: string[] = [];
  /** How many users each task named. */
  readonly named: number[] = [];
  full = false;
  down = false;

  async tell(userIds: readonly string[], record: Record, when: When): Promise<boolean> {
    if (this.down) throw new Error("NATS is down");
    if (this.full) return false;
    this.named.push(userIds.length);
    for (const line of userIds.map((userId) => `${record.seq} ${userId}`)) {
      const told = when === "later" ? this.later : this.told;
      if (!told.includes(line)) told.push(line);
    }
    return true;
  }
}

export class FakeClock implements Clock {
  time = 0;
  now(): number {
    return this.time;
  }
  async pause(ms: number): Promise<void> {
    this.time += ms;
  }
}

export class FakeJournal implements Journal {
  readonly lines: string[] = [];
  refused(address: string): void {
    this.lines.push(`refused ${address}`);
  }
  presenceAway(): void {
    this.lines.push("presence away");
  }
  offlineFull(notices: number): void {
    this.lines.push(`full ${notices}`);
  }
}
