import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type SendTask, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import type { Decision, ProviderName, PushPeers, PushStore, RegisteredToken, SendQueue } from "../ports.ts";
import { previewOf } from "./notification.ts";

/** A record and the users who should be told of it. */
export interface Notice {
  readonly userIds: readonly string[];
  readonly record: Record | undefined;
  /**
   * Whether they had a connection a while ago, which went with its gateway. Who has connected since the record was accepted isn't told
   * then: he has it by his sync.
   */
  readonly unlessBack?: boolean;
}

/** Decides which devices of users are told of a record, and puts one task for each into its provider's queue. */
export interface Dispatch {
  /** Rejects when not all are queued: then the same notice must come again. */
  handle(notice: Notice): Promise<void>;
}

/** Users whose tokens are asked for at once. */
const USERS_AT_ONCE = 500;
/** Devices of one notice that are queued at the same time. */
const DEVICES_AT_ONCE = 16;

export interface DispatchOptions {
  readonly store: PushStore;
  readonly queue: SendQueue;
  readonly peers: PushPeers;
  readonly configured: ReadonlySet<ProviderName>;
  readonly now: () => number;
}

/**
 * Makes the decision over its ports. Repeating a notice, or a user's part of it in another one, queues nothing twice: the
 * queue knows record and device. Users without a token cost their part of a question to the store, and no write.
 */
export function createDispatch({ store, queue, peers, configured, now }: DispatchOptions): Dispatch {
  return {
    async handle({ userIds, record, unlessBack = false }) {
      // A record without a body was too large to travel with the task: its message is told without a preview.
      if (record === undefined || !(record.body.case === "message" || record.body.case === undefined)) return;
      const { recordId, conversationId, senderUserId, seq, body } = record;
      const text = previewOf(body.case === "message" ? body.value.content : undefined);
      for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
        const tokens = await store.tokensOf(userIds.slice(from, from + USERS_AT_ONCE));
        if (tokens.length === 0) continue; // not worth a write for every record: ExplainPush sees it for itself
        const back = unlessBack ? await backSince(peers, record, tokens) : NOBODY;
        const title = (await peers.displayName(senderUserId)) ?? "New message";
        await inTurns(tokens, DEVICES_AT_ONCE, async (token) => {
          const { userId, deviceId, tokenId, provider } = token;
          if (back.has(userId)) {
            // Unless something has been decided before, by another task that names him.
            await store.claim(decisionAbout({ userId, recordId }, token, "connected", "", now()));
            return;
          }
          if (!configured.has(provider)) {
            await store.decide(decisionAbout({ userId, recordId }, token, "provider_not_configured", "", now()));
            return;
          }
          await queue.enqueue(
            provider,
            create(SendTaskSchema, { userId, deviceId, tokenId, recordId, conversationId, title, body: text, seq }),
          );
        });
      }
    },
  };
}

const NOBODY: ReadonlySet<string> = new Set();

function backSince(
  peers: Pick<PushPeers, "connectedSince">,
  { acceptedTime }: Record,
  tokens: readonly RegisteredToken[],
): Promise<ReadonlySet<string>> {
  const userIds = new Set(tokens.map(({ userId }) => userId));
  return peers.connectedSince([...userIds], acceptedTime === undefined ? 0 : timestampMs(acceptedTime));
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
