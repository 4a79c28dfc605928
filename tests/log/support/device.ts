import { Code, ConnectError } from "@connectrpc/connect";
import type { Conversation } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import type { View } from "../history.ts";
import type { LogUser } from "./log-user.ts";
import type { Recorder } from "./recorder.ts";

/** Pages that one round of Sync reads at most. */
const MAX_PAGES = 50;

/** A device of a user: it keeps what Sync tells it, from one round to the next. */
export class Device {
  /** The last record of each conversation that it knows of. */
  readonly heads = new Map<string, number>();
  /** The records of the user's own log that it has, in order of arrival. */
  readonly ownSeqs: number[] = [];
  readonly #user: LogUser;
  readonly #recorder: Recorder;
  #cursor = "";

  constructor(user: LogUser, recorder: Recorder) {
    this.#user = user;
    this.#recorder = recorder;
  }

  /** Forgets everything. */
  reset(): void {
    this.#cursor = "";
    this.#forget();
  }

  #forget(): void {
    this.heads.clear();
    this.ownSeqs.splice(0);
  }

  /** One round: page after page, until there is no more. */
  async sync(pageSize: number): Promise<void> {
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await this.#recorder.read(
        () => this.#user.query.sync({ cursor: this.#cursor, pageSize }),
        ({ conversations }) => conversations.map((each) => viewOf(this.#user.userId, each, "sync")),
      );
      if (page.startAfresh) this.#forget();
      for (const { conversationId, headSeq, left } of page.conversations) {
        if (left) this.heads.delete(conversationId);
        else this.heads.set(conversationId, Number(headSeq));
      }
      for (const { conversationId, seq } of page.userRecords) {
        if (conversationId === `u_${this.#user.userId}`) this.ownSeqs.push(Number(seq));
        else this.#recorder.wrong.push(`C6: ${this.#user.userId} was synced a record of ${conversationId}`);
      }
      this.#cursor = page.cursor;
      if (!page.hasMore) return;
    }
    this.#recorder.wrong.push(`C5: Sync has no end for ${this.#user.userId}`);
  }
}

/** What a conversation as a user sees it shows. Of one that he has left the head is the last record that he may read. */
export function viewOf(
  userId: string,
  { conversationId, headSeq, lastRecord, left }: Conversation,
  via: "conversations" | "sync",
): Omit<View, "began" | "ended"> {
  const records = lastRecord === undefined ? [] : [{ seq: Number(lastRecord.seq), recordId: lastRecord.recordId }];
  return { userId, conversationId, via, records, ...(left ? {} : { headSeq: Number(headSeq) }) };
}

/** The answer; undefined while the service has no such method. */
export async function ifImplemented<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unimplemented) return undefined;
    throw error;
  }
}
