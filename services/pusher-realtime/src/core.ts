import type { OnlineRecord, OnlineTask } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { createDeliver } from "./core/deliver.ts";
import type { Addressed } from "./core/frames.ts";
import { createMakeUp } from "./core/make-up.ts";
import type { Recipient } from "./core/packed-targets.ts";
import type { Clock, Gateways, Journal, Offline, Presence } from "./ports.ts";

/** What pusher-realtime needs. */
export interface PusherNeeds {
  readonly gateways: Gateways;
  readonly presence: Presence;
  readonly offline: Offline;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** A task. */
export interface PushTask extends Pick<OnlineTask, "gatewayAddress"> {
  readonly records: readonly (Pick<OnlineRecord, "record" | "notify"> & { readonly targets: readonly Recipient[] })[];
  /** The bytes of each record, if they are known: they are put into packets as they are. */
  readonly encoded?: readonly Uint8Array[];
  /** Whether it was delivered before: what comes after it may have been pushed since. */
  readonly again?: boolean;
}

/** The rules of pushing. */
export interface PusherCore {
  /**
   * Pushes the tasks of one gateway, in order. Resolves when each record has been written to each connection, or a hint of it to
   * another one of its user, or its user is told offline. Rejects when he can't be told now: the same tasks must come again.
   */
  push(tasks: readonly PushTask[], traceparent: string): Promise<void>;
}

export function createPusherCore(needs: PusherNeeds): PusherCore {
  const deliver = createDeliver(needs);
  const makeUp = createMakeUp({ ...needs, deliver });
  return {
    async push(tasks, traceparent) {
      for (const [address, records] of byAddress(tasks)) {
        const missed = await deliver(address, records, traceparent);
        if (missed.length > 0) await makeUp(missed, traceparent);
      }
    },
  };
}

/** A gateway has one address as long as it lives; nothing depends on it. */
function byAddress(tasks: readonly PushTask[]): Map<string, Addressed[]> {
  const found = new Map<string, Addressed[]>();
  for (const { gatewayAddress, records, encoded = [], again = false } of tasks) {
    const known = found.get(gatewayAddress) ?? [];
    found.set(gatewayAddress, known);
    for (const [index, { record, targets, notify }] of records.entries()) {
      const bytes = encoded[index];
      if (record === undefined) continue;
      known.push({ record, targets, notify, hintOnly: again, ...(bytes && { encoded: bytes }) });
    }
  }
  return found;
}
