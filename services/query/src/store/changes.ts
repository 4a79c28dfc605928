import { fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { MessageState, RecordStore } from "../ports.ts";

/** Reactions read for a page, those to the newest messages first: older ones beyond it aren't counted. */
const REACTIONS_READ = 20_000;

export interface MessageStateDocument extends Document {
  readonly _id: string;
  readonly conversationId: string;
  readonly seq: bigint;
  readonly editSeq?: bigint;
  readonly editedTime?: Date;
  readonly content?: Uint8Array;
  readonly flags?: readonly string[];
  readonly recallSeq?: bigint;
}

export interface ReactionDocument extends Document {
  readonly _id: string;
  readonly conversationId: string;
  readonly targetSeq: bigint;
  readonly emoji: string;
  readonly userId: string;
  readonly seq: bigint;
  readonly removed: boolean;
}

/** Reads what has become of messages. */
export function changesIn(
  states: Collection<MessageStateDocument>,
  reactions: Collection<ReactionDocument>,
): Pick<RecordStore, "changes"> {
  return {
    async changes(conversationId, seqs) {
      const [changed, reacted] = await reading(() =>
        Promise.all([
          states.find({ _id: { $in: seqs.map((seq) => `${conversationId}:${seq}`) } }).toArray(),
          reactions
            .find({ conversationId, targetSeq: { $in: [...seqs] } }, { projection: { _id: 0, conversationId: 0 } })
            .sort({ targetSeq: -1 })
            .limit(REACTIONS_READ)
            .toArray(),
        ]),
      );
      return { states: changed.map(stateOf), reactions: reacted };
    },
  };
}

function stateOf({ seq, editSeq, editedTime, content, flags = [], recallSeq }: MessageStateDocument): MessageState {
  const recalled = recallSeq !== undefined;
  if (editSeq === undefined || editedTime === undefined || content === undefined) {
    return { seq, edit: undefined, recalled };
  }
  const said = fromBinary(ContentSchema, content);
  return { seq, edit: { seq: editSeq, time: timestampFromDate(editedTime), content: said, flags }, recalled };
}
