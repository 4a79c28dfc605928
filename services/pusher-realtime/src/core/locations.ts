import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Journal, Presence } from "../ports.ts";

/** A live connection and where it can be written to. */
export interface Located {
  readonly connectionId: string;
  readonly deviceId: string;
  readonly codec: Codec;
  /** The mesh door of its gateway. */
  readonly address: string;
}

export interface Locations {
  /** Undefined when presence could not be asked. */
  of(userId: string): readonly Located[] | undefined;
}

const MAX_USERS = 1000;
const ATTEMPTS = 2;

/** Where users are connected now, as far as presence can be asked. */
export async function locate(presence: Presence, journal: Journal, userIds: ReadonlySet<string>): Promise<Locations> {
  const all = [...userIds];
  const found = new Map<string, Located[]>();
  const asked = new Set<string>();
  for (let at = 0; at < all.length; at += MAX_USERS) {
    const part = all.slice(at, at + MAX_USERS);
    const answer = await ask(presence, journal, part);
    if (answer === undefined) break;
    for (const userId of part) asked.add(userId);
    const addresses = new Map(answer.gateways.map(({ gatewayId, address }) => [gatewayId, address]));
    for (const { userId, connectionId, deviceId, codec, gatewayId } of answer.connections) {
      const address = addresses.get(gatewayId);
      if (address === undefined) continue;
      const located = { connectionId, deviceId, codec, address };
      if (!found.get(userId)?.push(located)) found.set(userId, [located]);
    }
  }
  return { of: (userId) => found.get(userId) ?? (asked.has(userId) ? [] : undefined) };
}

async function ask(presence: Presence, journal: Journal, userIds: readonly string[]) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await presence.locate(userIds);
    } catch (error) {
      if (attempt < ATTEMPTS) continue;
      journal.presenceAway(error);
      return undefined;
    }
  }
}
