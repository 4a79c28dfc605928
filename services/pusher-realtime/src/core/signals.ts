import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ServerPacketSchema, type Signal } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { Target } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Gateways, Parcel } from "../ports.ts";

/** Something passing, for connections of one gateway. */
export interface Passing {
  /** The gateway's mesh door. */
  readonly address: string;
  readonly targets: readonly Target[];
  readonly signal: Signal;
}

/** What was not written since the last look. */
export interface SignalLosses {
  /** Too many were under way. */
  readonly dropped: number;
  /** The gateway didn't take it. */
  readonly failed: number;
}

/** Packets to one gateway that wait for its answer; records have their own. */
const IN_FLIGHT = 64;
/** And to all gateways. */
const IN_FLIGHT_IN_ALL = 1024;
const PACKET_CONNECTIONS = 1000;
/** A connection that is too slow gets nothing in a signal's place. */
const NO_HINT = new Uint8Array(0);

/** Writes signals to connections, at most once: what a gateway doesn't take now is dropped. */
export class SignalPusher {
  readonly #gateways: Gateways;
  /** By address. */
  readonly #inFlight = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #dropped = 0;
  #failed = 0;

  constructor(gateways: Gateways) {
    this.#gateways = gateways;
  }

  /** Writes a signal, or drops it when too much is under way. */
  take({ address, targets, signal }: Passing): void {
    for (const parcel of parcelsOf(signal, targets)) {
      const before = this.#inFlight.get(address) ?? 0;
      if (before >= IN_FLIGHT || this.#running.size >= IN_FLIGHT_IN_ALL) {
        this.#dropped++;
        continue;
      }
      this.#inFlight.set(address, before + 1);
      const delivered: Promise<void> = this.#deliver(address, parcel).finally(() => this.#running.delete(delivered));
      this.#running.add(delivered);
    }
  }

  /** What was lost since the last time, in packets. */
  losses(): SignalLosses {
    const losses = { dropped: this.#dropped, failed: this.#failed };
    this.#dropped = 0;
    this.#failed = 0;
    return losses;
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #deliver(address: string, parcel: Parcel): Promise<void> {
    const receipt = await this.#gateways.deliver(address, parcel);
    if (receipt.kind !== "done") this.#failed++;
    const left = (this.#inFlight.get(address) ?? 1) - 1;
    if (left === 0) this.#inFlight.delete(address);
    else this.#inFlight.set(address, left);
  }
}

/** One packet for each codec, written once. */
function* parcelsOf(signal: Signal, targets: readonly Target[]): Generator<Parcel> {
  const packet = create(ServerPacketSchema, { event: { case: "signal", value: signal } });
  const json = targets.filter(({ codec }) => codec === Codec.JSON);
  const binary = targets.filter(({ codec }) => codec !== Codec.JSON);
  if (binary.length > 0) yield* inParts(toBinary(ServerPacketSchema, packet), binary);
  if (json.length === 0) return;
  const text = toJsonString(ServerPacketSchema, packet, { alwaysEmitImplicit: true });
  yield* inParts(new TextEncoder().encode(text), json);
}

function* inParts(payload: Uint8Array, targets: readonly Target[]): Generator<Parcel> {
  for (let from = 0; from < targets.length; from += PACKET_CONNECTIONS) {
    const part = targets.slice(from, from + PACKET_CONNECTIONS);
    const connectionIds = part.map(({ connectionId }) => connectionId);
    yield { connectionIds, payload, hint: NO_HINT, hintKey: "", hintOrder: 0n, traceparent: "" };
  }
}
