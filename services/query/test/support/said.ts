import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { indexTokensOf, wordsOf } from "@oceanchat/runtime/words";
import type { Document } from "mongodb";
import { text } from "./model.ts";

export const T0 = 1_700_000_000_000;
export const id = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** A message that was said. */
export interface Said {
  readonly conversationId: string;
  readonly seq: number;
  readonly words: string;
  /** In seconds after T0. */
  readonly at: number;
  readonly by?: string;
}

const recordOf = ({ conversationId, seq, words, at, by }: Said) =>
  create(RecordSchema, {
    conversationId,
    seq: BigInt(seq),
    recordId: `${conversationId}-${seq}`,
    senderUserId: by ?? id(2),
    acceptedTime: timestampFromMs(T0 + at * 1000),
    body: { case: "message", value: { content: text(words) } },
  });

/** What its search entry says of it, as persistence-writer has it. */
export function searchable(said: string) {
  const words = wordsOf([said], 128);
  return { tokens: indexTokensOf(words), words };
}

/** As the store has it. */
export function row(said: Said): Document {
  const { conversationId, seq } = said;
  const record = toBinary(RecordSchema, recordOf(said));
  const place = { conversationId, seq: BigInt(seq), streamSequence: BigInt(seq) };
  return { ...place, recordId: `${conversationId}-${seq}`, kind: "message", record };
}
