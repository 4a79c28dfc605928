import { create } from "@bufbuild/protobuf";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { errors } from "../errors.ts";
import type { Clock, LogStream, RecordStore } from "../ports.ts";
import type { ContentLimits } from "./content.ts";
import type { DirectLog, GroupLog, Log } from "./log.ts";
import { targetLog, uuidOf } from "./log.ts";
import type { Moderation } from "./moderation.ts";
import type { Permissions } from "./permissions.ts";
import type { Reading } from "./reading.ts";
import type { Target, Targets } from "./targets.ts";

/** Who writes, as it was verified. */
export interface MessageSender {
  readonly userId: string;
  readonly deviceId: string;
}

/** What an installation allows to be written. */
export interface WriteLimits extends ContentLimits {
  /** How many kinds of reactions a message may have. */
  readonly reactionKinds: number;
}

/** What the rules of all writing commands need. */
export interface WriteContext {
  readonly stream: LogStream;
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly permissions: Permissions;
  readonly reading: Reading;
  readonly targets: Targets;
  readonly moderation: Moderation;
  readonly limits: WriteLimits;
  /** Makes a UUIDv7. */
  newId(): string;
}

/** A user and the message that his command is about, as the command names them. */
export interface TargetCommand {
  readonly userId: string;
  readonly log: GroupLog | DirectLog;
  readonly recordId: string;
}

/** Checks the ids of a command about a message. */
export function targetCommand(
  sender: MessageSender,
  { conversationId, recordId }: { readonly conversationId: string; readonly recordId: string },
): TargetCommand {
  const userId = uuidOf("sender.user_id", sender.userId);
  const log = targetLog({ case: "conversationId", value: conversationId }, userId);
  return { userId, log, recordId: uuidOf("record_id", recordId) };
}

/**
 * The message that a command is about, once its user may write. A stranger isn't told whether it exists, and neither is a member who
 * may not read it.
 */
export async function permittedTarget(
  { permissions, reading, targets }: WriteContext,
  { userId, log, recordId }: TargetCommand,
  mentionsAll: boolean,
  traceparent: string,
): Promise<Target> {
  reading.prepare(log, userId, traceparent);
  await permissions.check(log, userId, mentionsAll, traceparent);
  const target = await targets.find(log.id, recordId);
  if (!(await reading.mayRead(log, userId, target.seq, traceparent))) throw errors.messageNotFound();
  return target;
}

/** A new record of that user, without a body. */
export function recordOf(
  { newId }: Pick<WriteContext, "newId">,
  log: Log,
  { deviceId }: MessageSender,
  senderUserId: string,
): Record {
  return create(RecordSchema, {
    conversationId: log.id,
    recordId: newId(),
    senderUserId,
    senderDeviceId: deviceId,
  });
}
