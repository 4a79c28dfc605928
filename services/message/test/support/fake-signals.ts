import type { ConversationSignal } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { DeliveredCursor, DeliveredStore, Journal, SignalOutlet } from "../../src/ports.ts";

/** Keeps the signals that were sent. */
export class FakeSignals implements SignalOutlet {
  readonly sent: ConversationSignal[] = [];

  send(signal: ConversationSignal): void {
    this.sent.push(signal);
  }

  /** What was told, in short: `typing <from> true`, `receipt <from> <read>/<delivered>`. */
  lines(): string[] {
    return this.sent.map(({ fromUserId, signal }) => {
      const { kind } = signal ?? {};
      if (kind?.case === "typing") return `typing ${fromUserId} ${kind.value.active}`;
      if (kind?.case === "receipt") return `receipt ${fromUserId} ${kind.value.readSeq}/${kind.value.deliveredSeq}`;
      return String(kind?.case);
    });
  }
}

/** Delivered cursors in memory. */
export class FakeDelivered implements DeliveredStore {
  readonly cursors = new Map<string, bigint>();
  readonly batches: (readonly DeliveredCursor[])[] = [];
  /** Thrown by every write. */
  error: Error | undefined;
  /** Devices whose cursors are refused. */
  readonly refused = new Set<string>();
  /** Every write waits for this. */
  turn: () => Promise<void> = async () => {};

  async save(cursors: readonly DeliveredCursor[]): Promise<ReadonlySet<DeliveredCursor>> {
    this.batches.push(cursors);
    await this.turn();
    if (this.error !== undefined) throw this.error;
    for (const { userId, conversationId, deviceId, deliveredSeq } of cursors) {
      const key = `${userId}:${conversationId}:${deviceId}`;
      if (!this.refused.has(deviceId) && deliveredSeq > (this.cursors.get(key) ?? 0n)) {
        this.cursors.set(key, deliveredSeq);
      }
    }
    return new Set(cursors.filter(({ deviceId }) => this.refused.has(deviceId)));
  }
}

/** Keeps what an operator would read. */
export class FakeJournal implements Journal {
  readonly lines: string[] = [];

  deliveredWaits(cursors: number): void {
    this.lines.push(`${cursors} wait`);
  }

  deliveredDropped(cursors: number): void {
    this.lines.push(`${cursors} dropped`);
  }
}

/** All that signals and confirmations need. */
export const fakeSignals = () => ({
  signals: new FakeSignals(),
  delivered: new FakeDelivered(),
  journal: new FakeJournal(),
});
