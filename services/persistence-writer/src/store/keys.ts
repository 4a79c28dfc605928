import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredAppendKeySchema, StoredMentionSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Collection, Db } from "mongodb";
import type { AppendKey, Mention } from "../ports.ts";
import { type InTime, insertAll } from "./writes.ts";

/** How long an append key is kept after its record was accepted. */
const KEY_SECONDS = 7 * 86_400;

interface MentionDocument extends Mention {
  readonly _id: string;
}

interface AppendKeyDocument extends Omit<AppendKey, "messageId"> {
  readonly _id: string;
}

/** Where what records are found by is kept: documents that are written once and never change. */
export interface KeyCollections {
  readonly mentions: Collection<MentionDocument>;
  readonly appendKeys: Collection<AppendKeyDocument>;
}

export function keyCollections(db: Db): KeyCollections {
  return {
    mentions: db.collection(getOption(StoredMentionSchema, collection)),
    appendKeys: db.collection(getOption(StoredAppendKeySchema, collection)),
  };
}

export async function indexKeys({ mentions, appendKeys }: KeyCollections): Promise<void> {
  await mentions.createIndexes([{ name: "named", key: { userId: 1, conversationId: 1, seq: 1 } }]);
  await appendKeys.createIndexes([{ name: "expiry", key: { acceptedTime: 1 }, expireAfterSeconds: KEY_SECONDS }]);
}

/** Those that are there already stay as they are. */
export async function insertKeys(
  to: KeyCollections,
  { mentions, appendKeys }: { readonly mentions: readonly Mention[]; readonly appendKeys: readonly AppendKey[] },
  inTime: InTime,
): Promise<void> {
  await Promise.all([
    insertAll(
      to.mentions,
      mentions.map((mention) => ({ _id: `${mention.userId}:${mention.conversationId}:${mention.seq}`, ...mention })),
      inTime,
    ),
    insertAll(
      to.appendKeys,
      appendKeys.map(({ messageId, ...key }) => ({ _id: messageId, ...key })),
      inTime,
    ),
  ]);
}
