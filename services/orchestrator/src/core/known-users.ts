import { create, toBinary } from "@bufbuild/protobuf";
import type { Connection } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { TargetSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { packTarget } from "./packed-targets.ts";

/** A connection of a user, on a gateway that may be gone. */
export interface Located {
  readonly gatewayId: string;
  readonly deviceId: string;
  readonly connectionId: string;
  readonly userId: string;
  readonly codec: Codec;
  /** How tasks name it: packed, or an encoded `Target`. */
  readonly target: Uint8Array;
  readonly isPacked: boolean;
}

/** What was answered about a user. */
export interface KnownUser {
  readonly slot: number;
  /** Of the slot, before the connections were read. */
  readonly stamp: string;
  /** In an order that is the same each time. */
  readonly connections: readonly Located[];
}

/** How connections are kept: those of a user in an order that is the same each time. */
export function locatedOf(connections: readonly Connection[]): Located[] {
  const found = connections.map(({ connectionId, gatewayId, deviceId, userId, codec }) => {
    const packed = codec === Codec.BINARY ? packTarget(connectionId, userId) : undefined;
    const target = packed ?? toBinary(TargetSchema, create(TargetSchema, { connectionId, userId, codec }));
    return { gatewayId, deviceId, connectionId, userId, codec, target, isPacked: packed !== undefined };
  });
  if (found.length > 1) found.sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
  return found;
}

/** Whether gateways live, as far as was answered within the last second. */
export class KnownGateways {
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly address: string | undefined; readonly untilMs: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  isFresh(gatewayId: string): boolean {
    return (this.#known.get(gatewayId)?.untilMs ?? Number.NEGATIVE_INFINITY) > this.#now();
  }

  /** Undefined when it doesn't live. */
  addressOf(gatewayId: string): string | undefined {
    return this.#known.get(gatewayId)?.address;
  }

  /** `address`: undefined when it doesn't live. */
  set(gatewayId: string, address: string | undefined): void {
    if (this.#known.size >= MAX_GATEWAYS) this.#known.clear();
    this.#known.set(gatewayId, { address, untilMs: this.#now() + FRESH_MS });
  }
}

const FRESH_MS = 1000;
const MAX_GATEWAYS = 10_000;
