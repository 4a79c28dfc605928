import { fromBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { MembershipBody } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { type Bus, PublishError, type StoredMessage } from "@oceanchat/runtime/bus-types";
import type { Host } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { keepTrying, type Patience } from "./bus/keep-trying.ts";
import type { Log, Push, Task } from "./ports.ts";

/** The push streams. What they don't take now is published again until they have it; rejects when that takes too long. */
export function openPush(bus: Pick<Bus, "publish">, patience: Patience): Push {
  const online = streamOf(OnlineTaskSchema);
  const offline = streamOf(OfflineTaskSchema);
  return {
    async online(gateway, task) {
      const subject = online.subjectOf("gateway", { gateway });
      await keepTrying(() => publish(bus, online.name, subject, task), patience);
    },
    async offline(userId, task) {
      const subject = offline.subjectOf("user", { id: userId });
      let isFull = false;
      await keepTrying(async () => {
        // A day of notices waits already: one more is worth less than the messages behind it, which would have to wait.
        isFull = !(await hasRoom(publish(bus, offline.name, subject, task)));
      }, patience);
      return !isFull;
    },
  };
}

/** How long the stream may take to answer, in milliseconds: publishing again helps only when the task was lost on its way. */
const ANSWER_MS = 5000;

function publish(
  bus: Pick<Bus, "publish">,
  expectStream: string,
  subject: string,
  { data, messageId, traceparent }: Task,
) {
  return bus.publish(subject, data, { expectStream, messageId, traceparent, timeoutMs: ANSWER_MS });
}

async function hasRoom(published: Promise<unknown>): Promise<boolean> {
  try {
    await published;
    return true;
  } catch (error) {
    if (error instanceof PublishError && error.kind === "full") return false;
    throw error;
  }
}

const PAGE = 500;
/** How far a group's log is read ahead at most. Beyond it a newcomer may be handed records of before he came. */
const MAX_RECORDS = 20_000;

/** The log, for looking ahead. */
export function openLog(bus: Bus, log: Host["log"]): Log {
  const stream = streamOf(LogEntrySchema);
  return {
    async membershipAfter(conversationId, sequence) {
      const subject = stream.subjectOf("conversation", { id: conversationId });
      const changes: MembershipBody[] = [];
      let next = sequence + 1;
      for (let read = 0; read < MAX_RECORDS; read += PAGE) {
        const page = await bus.bySubjectFrom(stream.name, subject, next, PAGE);
        changes.push(...page.flatMap(membershipOf));
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) return changes;
        next = last.sequence + 1;
      }
      log.warn({ conversationId, records: MAX_RECORDS }, "a group's log is too far behind to look ahead to its end");
      return changes;
    },
  };
}

/** Poison has no members; it goes to the dead when its turn comes. */
function membershipOf({ data }: StoredMessage): MembershipBody[] {
  try {
    const body = fromBinary(LogEntrySchema, data).record?.body;
    return body?.case === "membership" ? [body.value] : [];
  } catch {
    return [];
  }
}
