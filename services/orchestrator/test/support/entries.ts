import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type MembershipBody, MembershipBodySchema, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Entry } from "../../src/ports.ts";

/** A UUID that is told by a number. */
export const id = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

export const ALICE = id(1);
export const BOB = id(2);
export const CAROL = id(3);
export const DIRECT = `d_${ALICE}_${BOB}`;
export const GROUP_ID = id(9);
export const GROUP = `g_${GROUP_ID}`;

type RecordInit = Exclude<MessageInitShape<typeof RecordSchema>, { $typeName: string }>;

/** A message of Alice's phone at that place of the group; it lies at ten times its seq in the stream. */
export function groupEntry(seq: number, record: RecordInit = {}): Entry {
  const whole = create(RecordSchema, {
    conversationId: GROUP,
    seq: BigInt(seq),
    recordId: id(1000 + seq),
    senderUserId: ALICE,
    senderDeviceId: "phone",
    acceptedTime: timestampFromMs(1000),
    body: {
      case: "message",
      value: { clientMessageId: id(5000 + seq), content: { kind: { case: "text", value: { text: `text ${seq}` } } } },
    },
    ...record,
  });
  return {
    record: whole,
    audience: { kind: "group", groupId: GROUP_ID },
    sequence: seq * 10,
    encoded: toBinary(RecordSchema, whole),
    traceparent: "",
  };
}

/** The same between Alice and Bob. */
export function directEntry(seq: number, record: RecordInit = {}): Entry {
  const entry = groupEntry(seq, { conversationId: DIRECT, recordId: id(2000 + seq), ...record });
  return { ...entry, audience: { kind: "users", userIds: [ALICE, BOB] } };
}

export function change(
  init: Exclude<MessageInitShape<typeof MembershipBodySchema>, { $typeName: string }>,
): MembershipBody {
  return create(MembershipBodySchema, init);
}

/** A change of membership at that place of the group. */
export function changeEntry(seq: number, body: MembershipBody): Entry {
  return groupEntry(seq, { body: { case: "membership", value: body } });
}
