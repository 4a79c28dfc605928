import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GetReadReceiptsResponseSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { errors } from "../errors.ts";
import type { RecordStore } from "../ports.ts";
import { parseConversationId } from "./access.ts";
import type { ListSources } from "./conversations.ts";
import type { Reader } from "./fold.ts";
import { headOf } from "./heads.ts";
import { readStretch } from "./merge.ts";

/** With more members than this, readers are counted and not named. */
const NAMED_MEMBERS = 100;
/** Users asked for at once. */
const USERS_AT_ONCE = 1000;

export type ReceiptsInit = Exclude<MessageInitShape<typeof GetReadReceiptsResponseSchema>, { $typeName: string }>;

/** Who has read a record, its sender left out. */
export async function getReadReceipts(
  sources: ListSources,
  reader: Reader,
  conversationId: string,
  seq: bigint,
): Promise<ReceiptsInit> {
  const { seq: headSeq } = await headOf(sources, conversationId);
  if (seq > headSeq || !reader.mayRead(seq)) throw errors.recordNotFound();
  const [members, [record]] = await Promise.all([
    membersOf(sources, conversationId),
    readStretch(sources, conversationId, { fromSeq: seq, toSeq: seq }),
  ]);
  const others = members.filter((userId) => userId !== record?.senderUserId);
  const memberCount = others.length;
  if (members.length > NAMED_MEMBERS) {
    return { readCount: await countReaders(sources.store, conversationId, others, seq), memberCount };
  }
  const [readSeqs, deliveredSeqs] = await Promise.all([
    sources.store.readSeqsIn(conversationId, others),
    sources.store.deliveredSeqsIn(conversationId, others),
  ]);
  const receipts = others.map((userId) => {
    const [readSeq, received] = [readSeqs.get(userId) ?? 0n, deliveredSeqs.get(userId) ?? 0n];
    // What was read had been received, confirmed or not.
    return { userId, readSeq, deliveredSeq: received > readSeq ? received : readSeq };
  });
  return { readCount: receipts.filter(({ readSeq }) => readSeq >= seq).length, memberCount, receipts };
}

async function membersOf({ peers }: ListSources, conversationId: string): Promise<readonly string[]> {
  const conversation = parseConversationId(conversationId);
  if (conversation === undefined) throw errors.conversationNotFound();
  return conversation.kind === "direct" ? conversation.userIds : peers.membersOf(conversation.groupId);
}

async function countReaders(
  store: RecordStore,
  conversationId: string,
  userIds: readonly string[],
  seq: bigint,
): Promise<number> {
  let readers = 0;
  for (let first = 0; first < userIds.length; first += USERS_AT_ONCE) {
    readers += await store.countReaders(conversationId, userIds.slice(first, first + USERS_AT_ONCE), seq);
  }
  return readers;
}
