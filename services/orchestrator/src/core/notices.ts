import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { OfflineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import { packUuids } from "@oceanchat/runtime/packed-uuids";
import type { Push, Task } from "../ports.ts";
import type { Notice } from "./plan.ts";

/** How many users a task tells at most: with the largest record of the log it is far from the stream's limit. */
export const USERS_PER_TASK = 1000;
/** How many tasks are published at a time. */
const TASKS_AT_ONCE = 64;

/** Users who are told by one task. */
interface Addressees {
  readonly userIds: readonly string[];
  /** How the task names them: the beginning of an encoded `OfflineTask`. */
  readonly head: Uint8Array;
  /** How the task's id names them. */
  readonly name: string;
}

/** Has users told of records. Resolves to how many will be, and how many not because the stream is full. */
export async function tell(push: Pick<Push, "offline">, notices: readonly Notice[]) {
  let [offline, dropped] = [0, 0];
  await inTurns(offlineTasks(notices), TASKS_AT_ONCE, async ({ userIds, ...task }) => {
    if (await push.offline(userIds[0] ?? "", task)) offline += userIds.length;
    else dropped += userIds.length;
  });
  return { offline, dropped };
}

/** The tasks of all notices; users that several records go to are encoded once. The record is put in as it lies in the log. */
export function* offlineTasks(notices: readonly Notice[]): Generator<Task & { readonly userIds: readonly string[] }> {
  const known = new Map<readonly string[], readonly Addressees[]>();
  for (const { entry, userIds } of notices) {
    const audiences = known.get(userIds) ?? audiencesOf(userIds);
    known.set(userIds, audiences);
    const { record, encoded, traceparent } = entry;
    for (const audience of audiences) {
      const data = new BinaryWriter()
        .raw(audience.head)
        .tag(OfflineTaskSchema.field.record.number, WireType.LengthDelimited)
        .bytes(encoded)
        .finish();
      yield { userIds: audience.userIds, data, messageId: `${record.recordId}:${audience.name}`, traceparent };
    }
  }
}

function audiencesOf(userIds: readonly string[]): Addressees[] {
  return Array.from({ length: Math.ceil(userIds.length / USERS_PER_TASK) }, (_, part) =>
    audienceOf(userIds.slice(part * USERS_PER_TASK, (part + 1) * USERS_PER_TASK)),
  );
}

function audienceOf(userIds: readonly string[]): Addressees {
  const [userId = "", ...others] = userIds;
  // One alone goes by his id: pusher-realtime's task for him is the same one then.
  if (others.length === 0) {
    return { userIds, head: toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { userId })), name: userId };
  }
  const packedUserIds = packUuids(userIds);
  const head = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { packedUserIds }));
  return { userIds, head, name: hash("sha1", packedUserIds, "base64url") };
}
