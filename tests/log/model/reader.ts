import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Shown } from "../history.ts";
import { Device, viewOf } from "../support/device.ts";
import type { LogUser } from "../support/log-user.ts";
import type { Step } from "./plan.ts";
import { conversationOf, type Stage } from "./stage.ts";
import { standingOf } from "./standing.ts";

type Reading = Extract<Step, { kind: "page" | "conversations" | "receipts" | "sync" | "search" }>;

/** Pages that one step reads at most. */
const MAX_PAGES = 20;

/** A user who reads, by every call there is, and notes what he is shown. */
export class Reader {
  readonly #stage: Stage;
  readonly #user: LogUser;
  /** Syncs now and then. */
  readonly device: Device;

  constructor(stage: Stage, user: LogUser) {
    this.#stage = stage;
    this.#user = user;
    this.device = new Device(user, stage.recorder);
  }

  async run(step: Reading): Promise<void> {
    switch (step.kind) {
      case "page":
        return this.#page(step);
      case "conversations":
        return this.#conversations(step.pageSize);
      case "receipts":
        return this.#receipts(step);
      case "sync":
        return this.#sync(step);
      case "search":
        return this.#search(step.which);
    }
  }

  async #page({ conversation, at, backward, limit, raw }: Reading & { kind: "page" }): Promise<void> {
    const { recorder } = this.#stage;
    const conversationId = conversationOf(this.#stage, this.#user, conversation);
    const headSeqThen = this.#accepted(conversationId);
    const seq = BigInt(1 + (at % Math.max(1, headSeqThen + 2)));
    const from = backward ? { beforeSeq: seq } : { afterSeq: seq - 1n };
    const request = { conversationId, ...(at % 5 === 0 ? {} : from), limit, raw };
    const { userId, query } = this.#user;
    const page = await recorder.read(
      () => query.listRecords(request),
      ({ records, headSeq, firstSeq, lastSeq }) => {
        const covers = { from: Number(firstSeq), to: Number(lastSeq) };
        const via = raw ? ("records" as const) : ("history" as const);
        return [{ userId, conversationId, via, headSeq: Number(headSeq), records: records.map(shown), covers }];
      },
    );
    if (!raw) this.#see(conversationId, page.records, headSeqThen);
  }

  async #conversations(pageSize: number): Promise<void> {
    const { query } = this.#user;
    for (let pageToken = "", pages = 0; pages < MAX_PAGES; pages++) {
      const page = await this.#stage.recorder.read(
        () => query.listConversations({ pageSize, pageToken }),
        ({ conversations }) => conversations.map((each) => viewOf(this.#user.userId, each, "conversations")),
      );
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  }

  async #receipts({ conversation, at }: Reading & { kind: "receipts" }): Promise<void> {
    const { recorder } = this.#stage;
    const conversationId = conversationOf(this.#stage, this.#user, conversation);
    const seq = 1 + (at % Math.max(1, this.#accepted(conversationId)));
    const { receipts, readCount, memberCount } = await this.#user.query.getReadReceipts({
      conversationId,
      seq: BigInt(seq),
    });
    const readers = receipts.filter(({ readSeq }) => readSeq >= seq).length;
    if (readers !== readCount || receipts.length !== memberCount) {
      recorder.wrong.push(
        `C7: receipts of ${conversationId}:${seq} count ${readCount} of ${memberCount}, name ${readers}`,
      );
    }
  }

  async #sync({ afresh, pageSize }: Reading & { kind: "sync" }): Promise<void> {
    if (afresh) this.device.reset();
    await this.device.sync(pageSize);
  }

  async #search(which: number): Promise<void> {
    const { users, recorder } = this.#stage;
    const name = users[which % users.length]?.name ?? "ann";
    await recorder.read(
      () => this.#user.query.search({ query: `${name} says`, pageSize: 200 }),
      ({ records }) =>
        records.map((record) => ({
          userId: this.#user.userId,
          conversationId: record.conversationId,
          via: "search" as const,
          records: [shown(record)],
        })),
    );
  }

  #see(conversationId: string, records: readonly LogRecord[], headSeqThen: number): void {
    const { userId } = this.#user;
    for (const record of records) {
      this.#stage.seen.push({ userId, conversationId, standing: standingOf(record), headSeqThen });
    }
  }

  /** The last seq of the conversation that somebody was answered. */
  #accepted(conversationId: string): number {
    let last = 0;
    for (const operation of this.#stage.recorder.operations) {
      if (operation.conversationId !== conversationId) continue;
      for (const { outcome } of operation.tries) if (outcome.kind === "ok") last = Math.max(last, outcome.seq);
    }
    return last;
  }
}

function shown({ seq, recordId }: LogRecord): Shown {
  return { seq: Number(seq), recordId };
}
