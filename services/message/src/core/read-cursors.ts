import { create } from "@bufbuild/protobuf";
import type { MarkReadRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { ReadCursorBodySchema, type Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Appender } from "./append.ts";
import { type DirectLog, type GroupLog, targetLog, userLog, uuidOf } from "./log.ts";
import { type MessageSender, recordOf, type WriteContext } from "./writing.ts";

/**
 * Moves read cursors forward. A cursor that is forgotten here, or was moved by another instance, may get a record that is behind
 * its last one: readers take the highest.
 */
export class ReadCursors {
  readonly #context: WriteContext;
  readonly #appender: Appender;
  readonly #moved: (log: GroupLog | DirectLog, userId: string, readSeq: bigint) => void;
  /** The last record of each user's cursor of each conversation. */
  readonly #cursors: RecentMap<Record>;

  /** `moved` is told of every cursor that has moved. */
  constructor(
    context: WriteContext,
    appender: Appender,
    remembered: number,
    moved: (log: GroupLog | DirectLog, userId: string, readSeq: bigint) => void,
  ) {
    this.#context = context;
    this.#appender = appender;
    this.#moved = moved;
    this.#cursors = new RecentMap(remembered);
  }

  /** Resolves when the cursor is at that record, at the conversation's last, or further. */
  async move(sender: MessageSender, request: MarkReadRequest, traceparent: string): Promise<void> {
    const userId = uuidOf("sender.user_id", sender.userId);
    const log = targetLog({ case: "conversationId", value: request.conversationId }, userId);
    await this.#context.permissions.checkMember(log, userId, traceparent);
    const key = `${userId}:${log.id}`;
    if (this.#covers(key, request.seq) !== undefined) return;
    const seq = await this.#appender.clamp(log.id, request.seq);
    if (seq === 0n) return;
    const own = userLog(userId);
    const record = recordOf(this.#context, own, sender, userId);
    record.body = { case: "readCursor", value: create(ReadCursorBodySchema, { conversationId: log.id, seq }) };
    const { duplicate } = await this.#appender.append({
      log: own,
      messageId: `s:${own.id}:read:${log.id}:${seq}`,
      record,
      ready: undefined,
      instead: async () => {
        const last = this.#covers(key, seq);
        return last === undefined ? undefined : { record: last, duplicate: true };
      },
      appended: (durable) => {
        if (this.#covers(key, seq) === undefined) this.#cursors.set(key, durable);
      },
      traceparent,
    });
    if (!duplicate) this.#moved(log, userId, seq);
  }

  /** The cursor's last record if it is at that seq or further. */
  #covers(key: string, seq: bigint): Record | undefined {
    const last = this.#cursors.get(key);
    return last?.body.case === "readCursor" && last.body.value.seq >= seq ? last : undefined;
  }
}
