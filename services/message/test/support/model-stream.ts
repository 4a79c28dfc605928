import { fromBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { PublishError, type Published } from "@oceanchat/runtime/bus-types";
import { shared } from "@oceanchat/runtime/fail";
import type { AppendOptions, LoggedRecord, LogStream } from "../../src/ports.ts";

/** Which check the server does first: 2.15 looks at the expected sequence, 2.9 at the message id. */
export type CheckOrder = "sequence-first" | "id-first";

/** What goes wrong with a publish. */
export type Fault =
  | "none"
  /** Stored, but the answer is lost. */
  | "answer-lost"
  /** Never arrives, and nobody says so. */
  | "request-lost"
  /** Arrives and is looked at after the publisher has given up. */
  | "late"
  | "full"
  | "unavailable";

interface Stored {
  readonly logId: string;
  readonly messageId: string;
  readonly entry: LogEntry;
}

/** A small model of a JetStream stream with compare-and-set and deduplication. */
export class ModelStream implements LogStream {
  readonly stored: Stored[] = [];
  readonly calls: string[] = [];
  order: CheckOrder = "sequence-first";
  /** Asked for every publish. */
  fault: (logId: string, messageId: string) => Fault = () => "none";
  /** Every step waits for this: a scheduler can put the steps of many callers in any order. */
  turn: () => Promise<void> = async () => {};
  /** Reads fail as long as this is set. */
  unreadable = false;
  readonly #ids = new Map<string, number>();
  readonly #late = new Set<Promise<unknown>>();

  async last(logId: string): Promise<LoggedRecord | undefined> {
    this.calls.push("last");
    await this.turn();
    this.#mustBeReadable();
    const index = this.stored.findLastIndex((message) => message.logId === logId);
    const found = this.#logged(index + 1);
    await this.turn();
    return found;
  }

  async at(streamSequence: number): Promise<LoggedRecord | undefined> {
    this.calls.push("at");
    await this.turn();
    this.#mustBeReadable();
    return this.#logged(streamSequence);
  }

  async from(logId: string, streamSequence: number, limit: number): Promise<LoggedRecord[]> {
    this.calls.push("from");
    await this.turn();
    this.#mustBeReadable();
    return this.stored
      .flatMap((message, index) => (message.logId === logId && index + 1 >= streamSequence ? [index + 1] : []))
      .slice(0, limit)
      .flatMap((sequence) => this.#logged(sequence) ?? []);
  }

  async publish(logId: string, entry: Uint8Array, options: AppendOptions): Promise<Published> {
    this.calls.push("publish");
    const fault = this.fault(logId, options.messageId);
    if (fault === "full") throw new PublishError("full", "maximum bytes exceeded", { code: 10077 });
    if (fault === "unavailable") throw new PublishError("unavailable", "no connection");
    if (fault === "request-lost") {
      await this.turn();
      throw new PublishError("unknown", "no answer");
    }
    if (fault === "late") {
      const late = this.#lateArrival(logId, entry, options).finally(() => this.#late.delete(late));
      this.#late.add(late);
      throw new PublishError("unknown", "no answer");
    }
    await this.turn();
    const published = this.#arrive(logId, entry, options);
    await this.turn();
    if (fault === "answer-lost") throw new PublishError("unknown", "no answer");
    return published;
  }

  /** Waits until nothing is on its way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#late);
  }

  recordsOf(logId: string) {
    return this.stored.flatMap(({ logId: id, entry }) => (id === logId && entry.record ? [entry.record] : []));
  }

  async #lateArrival(logId: string, entry: Uint8Array, options: AppendOptions): Promise<void> {
    for (let turns = 0; turns < 4; turns++) await this.turn();
    try {
      this.#arrive(logId, entry, options);
    } catch {
      // Nobody waits for the answer any more.
    }
  }

  #arrive(logId: string, entry: Uint8Array, { messageId, expectedStreamSequence }: AppendOptions): Published {
    const last = this.stored.findLastIndex((message) => message.logId === logId) + 1;
    const first = this.#ids.get(messageId);
    const duplicate = first === undefined ? undefined : { sequence: first, duplicate: true };
    if (this.order === "id-first" && duplicate !== undefined) return duplicate;
    if (last !== expectedStreamSequence) {
      throw new PublishError("conflict", `wrong last sequence: ${last}`, { code: 10071 });
    }
    if (duplicate !== undefined) return duplicate;
    this.stored.push({ logId, messageId, entry: fromBinary(LogEntrySchema, entry) });
    this.#ids.set(messageId, this.stored.length);
    return { sequence: this.stored.length, duplicate: false };
  }

  #logged(streamSequence: number): LoggedRecord | undefined {
    const message = this.stored[streamSequence - 1];
    if (message?.entry.record === undefined) return undefined;
    return { record: message.entry.record, streamSequence, messageId: message.messageId };
  }

  #mustBeReadable(): void {
    if (this.unreadable) throw shared.unavailable("the log can't be read");
  }
}
