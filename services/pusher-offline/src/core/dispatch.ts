import { create } from "@bufbuild/protobuf";
import { type OfflineTask, type SendTask, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Decision, ProviderName, PushPeers, PushStore, RegisteredToken, SendQueue } from "../ports.ts";
import { previewOf } from "./notification.ts";

/** Decides which of a user's devices are told of a record, and puts one task for each into its provider's queue. */
export interface Dispatch {
  handle(task: OfflineTask): Promise<void>;
}

export interface DispatchOptions {
  readonly store: PushStore;
  readonly queue: SendQueue;
  readonly peers: PushPeers;
  readonly configured: ReadonlySet<ProviderName>;
  readonly now: () => number;
}

/** Makes the decision over its ports. Repeating a task queues nothing twice: the queue knows record and device. */
export function createDispatch({ store, queue, peers, configured, now }: DispatchOptions): Dispatch {
  return {
    async handle({ userId, record }) {
      // A record without a body was too large to travel with the task: its message is told without a preview.
      if (record === undefined || !(record.body.case === "message" || record.body.case === undefined)) return;
      const { recordId, conversationId, senderUserId, seq, body } = record;
      const tokens = await store.tokensOf(userId);
      const note = (decision: string, token: RegisteredToken) =>
        store.decide(decisionAbout({ userId, recordId }, token, decision, "", now()));
      if (tokens.length === 0) return; // not worth a write for every record: ExplainPush sees it for itself
      const title = (await peers.displayName(senderUserId)) ?? "New message";
      const text = previewOf(body.case === "message" ? body.value.content : undefined);
      for (const token of tokens) {
        if (!configured.has(token.provider)) {
          await note("provider_not_configured", token);
          continue;
        }
        const { deviceId, tokenId, provider } = token;
        await queue.enqueue(
          provider,
          create(SendTaskSchema, { userId, deviceId, tokenId, recordId, conversationId, title, body: text, seq }),
        );
      }
    },
  };
}

/** A decision about a record and a device. */
export function decisionAbout(
  task: Pick<SendTask, "userId" | "recordId">,
  { tokenId, deviceId }: Pick<RegisteredToken, "tokenId" | "deviceId">,
  decision: string,
  detail: string,
  decidedAtMs: number,
): Decision {
  const { userId, recordId } = task;
  return {
    recordId,
    userId,
    tokenId,
    deviceId,
    decision,
    detail,
    decidedAtMs,
  };
}
