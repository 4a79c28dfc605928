import type { Connection } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { Presence } from "../ports.ts";

/** Where users are connected. */
export interface Locations {
  /** A user's live connections, in an order that is the same each time. */
  of(userId: string): readonly Connection[];
  /** Where a gateway's mesh door is. */
  addressOf(gatewayId: string): string;
}

const MAX_USERS = 1000;
const CALLS_AT_ONCE = 4;
const NOWHERE: readonly Connection[] = [];

/** Asks presence for all users at once, by a thousand. */
export async function locate(presence: Presence, userIds: ReadonlySet<string>): Promise<Locations> {
  const all = [...userIds];
  const parts = Array.from({ length: Math.ceil(all.length / MAX_USERS) }, (_, part) =>
    all.slice(part * MAX_USERS, (part + 1) * MAX_USERS),
  );
  const addresses = new Map<string, string>();
  const connections: Connection[] = [];
  const work = async () => {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const found = await presence.locate(part);
      for (const { gatewayId, address } of found.gateways) addresses.set(gatewayId, address);
      for (const connection of found.connections) connections.push(connection);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CALLS_AT_ONCE, parts.length) }, work));
  return { of: byUser(connections, addresses), addressOf: (gatewayId) => addresses.get(gatewayId) ?? "" };
}

/** A connection whose gateway has no address is none. */
function byUser(connections: Connection[], addresses: ReadonlyMap<string, string>) {
  const ofUser = new Map<string, Connection[]>();
  for (const connection of connections) {
    if (!addresses.has(connection.gatewayId)) continue;
    const known = ofUser.get(connection.userId);
    if (known === undefined) ofUser.set(connection.userId, [connection]);
    else known.push(connection);
  }
  for (const several of ofUser.values()) {
    if (several.length > 1) several.sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
  }
  return (userId: string) => ofUser.get(userId) ?? NOWHERE;
}
