import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { RecordStore, Settings } from "../ports.ts";
import { type HistorySources, unwrittenOf } from "./unwritten.ts";

/** What a user has read and set, by conversation; those of which he never said anything are left out. */
export interface OwnState {
  readonly readSeqs: ReadonlyMap<string, bigint>;
  readonly settings: ReadonlyMap<string, Settings>;
}

/**
 * What a user's own log says of his read cursors and settings that the store may not have folded yet. To be asked before the store
 * is: then nothing falls between the two.
 */
export async function ownChanges(sources: HistorySources, userId: string): Promise<readonly LogRecord[]> {
  const logId = `u_${userId}`;
  const last = await sources.log.last(logId);
  if (last === undefined) return [];
  const head = { seq: last.record.seq, streamSequence: last.streamSequence, inLog: true };
  return (await unwrittenOf(sources, logId, head, isOwnState)).records;
}

function isOwnState({ body }: LogRecord): boolean {
  return body.case === "readCursor" || body.case === "conversationSettings";
}

/** What a user has read of conversations and set for them: what the store knows, and the newest changes over it. */
export async function ownState(
  store: RecordStore,
  userId: string,
  conversationIds: readonly string[],
  newest: readonly LogRecord[],
): Promise<OwnState> {
  const [storedSeqs, storedSettings] = await Promise.all([
    store.readSeqsOf(userId, conversationIds),
    store.settingsOf(userId, conversationIds),
  ]);
  const readSeqs = new Map(storedSeqs);
  const settings = new Map(storedSettings);
  for (const { body } of newest) {
    if (body.case === "readCursor") {
      const { conversationId, seq } = body.value;
      if (seq > (readSeqs.get(conversationId) ?? 0n)) readSeqs.set(conversationId, seq);
    } else if (body.case === "conversationSettings") {
      const { conversationId, pinned, mutedUntil } = body.value;
      const known = settings.get(conversationId) ?? { pinned: false, mutedUntilMs: 0 };
      settings.set(conversationId, {
        pinned: pinned ?? known.pinned,
        mutedUntilMs: mutedUntil === undefined ? known.mutedUntilMs : timestampMs(mutedUntil),
      });
    }
  }
  return { readSeqs, settings };
}
