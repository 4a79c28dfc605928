import type { Clock, Gateways, Journal, Receipt } from "../ports.ts";
import { type Addressed, type Frame, frames } from "./frames.ts";
import type { Recipient } from "./packed-targets.ts";

/** A record that did not come to a connection, as far as is known. */
export interface Missed {
  readonly addressed: Addressed;
  readonly target: Recipient;
}

/** Writes records to connections of one gateway; answers with those that they didn't come to. */
export type Deliver = (address: string, records: readonly Addressed[], traceparent: string) => Promise<Missed[]>;

/** By conversation: the last seq of those of its packets that were sent. */
type Begun = Map<string, bigint>;

/** Packets to one gateway that wait for its answer. */
const IN_FLIGHT = 256;
/** Writes to connections that wait for its answer: what a gateway does within a fraction of the time that it may be silent. */
const WRITES_IN_FLIGHT = 16_000;
/**
 * How often a packet is sent at most, by what became of it the time before. To a silent gateway not again: when it goes on it writes what
 * it has been given, and twice what it has been given twice.
 */
const ATTEMPTS = { unreachable: 2, broken: 2, busy: 6 } as const;
/** How long to wait before it is sent again, in milliseconds. */
const PAUSE_MS = { unreachable: 100, broken: 100, busy: 250 } as const;
/** How long a gateway that did not answer in spite of all is not tried, in milliseconds. */
const SUSPECT_MS = 5000;
const MAX_SUSPECTS = 1000;

export function createDeliver(needs: { gateways: Gateways; clock: Clock; journal: Journal }): Deliver {
  const { gateways, clock, journal } = needs;
  /** By address: until when it is left alone. Else each batch would wait for all its attempts, and others behind it. */
  const suspects = new Map<string, number>();

  async function send(address: string, frame: Frame, begun: Begun, traceparent: string): Promise<Receipt> {
    const { targets, hint, hintKey, hintOrder } = frame;
    const connectionIds = targets.map(({ connectionId }) => connectionId);
    for (let attempt = 1; ; attempt++) {
      const receipt = await gateways.deliver(address, {
        connectionIds,
        // What comes after it may be there already: then only that there is something.
        payload: attempt > 1 && (begun.get(hintKey) ?? 0n) > hintOrder ? hint : frame.payload,
        hint,
        hintKey,
        hintOrder,
        traceparent,
      });
      const { kind } = receipt;
      if (kind === "done" || kind === "refused" || kind === "silent") return receipt;
      if (attempt >= ATTEMPTS[kind] || isSuspect(address)) return receipt;
      await clock.pause(PAUSE_MS[kind]);
    }
  }

  function isSuspect(address: string): boolean {
    return (suspects.get(address) ?? Number.NEGATIVE_INFINITY) > clock.now();
  }

  function suspect(address: string): void {
    if (suspects.size >= MAX_SUSPECTS) suspects.clear();
    suspects.set(address, clock.now() + SUSPECT_MS);
  }

  return async (address, records, traceparent) => {
    const missed: Missed[] = [];
    const under = new Set<Promise<void>>();
    const begun: Begun = new Map();
    let writes = 0;
    const deliver = async (frame: Frame) => {
      const receipt = await send(address, frame, begun, traceparent);
      if (receipt.kind === "silent" || receipt.kind === "broken") suspect(address);
      if (receipt.kind === "refused") journal.refused(address, receipt.error);
      missed.push(...missedOf(frame, receipt));
    };
    for (const frame of frames(records)) {
      if (isSuspect(address)) {
        missed.push(...missedOf(frame, { kind: "silent" }));
        continue;
      }
      // Begun in order; the answers may come in any.
      const delivered: Promise<void> = deliver(frame).finally(() => {
        under.delete(delivered);
        writes -= frame.targets.length;
      });
      under.add(delivered);
      if ((begun.get(frame.hintKey) ?? 0n) < frame.hintOrder) begun.set(frame.hintKey, frame.hintOrder);
      writes += frame.targets.length;
      while (under.size >= IN_FLIGHT || writes >= WRITES_IN_FLIGHT) await Promise.race(under);
    }
    await Promise.all(under);
    return missed;
  };
}

function missedOf({ records, targets }: Frame, receipt: Receipt): Missed[] {
  const gone = receipt.kind === "done" ? new Set(receipt.unknownConnectionIds) : undefined;
  if (gone?.size === 0) return [];
  const lost = gone === undefined ? targets : targets.filter(({ connectionId }) => gone.has(connectionId));
  return lost.flatMap((target) => records.map((addressed) => ({ addressed, target })));
}
