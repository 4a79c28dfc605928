import type { JetStreamManager } from "@nats-io/jetstream";
import type { Link } from "./bus-link.ts";
import { readBatch, readOne } from "./bus-read.ts";
import type { StoredMessage } from "./bus-types.ts";
import { shared } from "./fail.ts";
import { inTurns } from "./in-turns.ts";

/** The server refuses more than 1024 answers. */
const SUBJECTS_AT_ONCE = 500;
/** Subjects that the leader is asked for at once, one by one. */
const LEADER_AT_ONCE = 16;

/**
 * The last messages of subjects, by subject. Any replica answers, but none that lacks what the leader had when this was called:
 * where that can't be told, the leader is asked.
 */
export async function readLast(
  link: Link,
  jsm: JetStreamManager,
  stream: string,
  subjects: readonly string[],
): Promise<Map<string, StoredMessage>> {
  const found = new Map<string, StoredMessage>();
  if (subjects.length === 0) return found;
  const leader = await leaderOf(jsm, stream);
  for (let first = 0; first < subjects.length; first += SUBJECTS_AT_ONCE) {
    const some = subjects.slice(first, first + SUBJECTS_AT_ONCE);
    const messages = await lastOf(link, stream, some, leader);
    if (messages === undefined) await askLeader(jsm, stream, some, found);
    else for (const message of messages) found.set(message.subject, message);
  }
  return found;
}

interface Leader {
  readonly lastSequence: number;
  readonly alone: boolean;
}

async function leaderOf(jsm: JetStreamManager, stream: string): Promise<Leader> {
  try {
    const { state, config } = await jsm.streams.info(stream);
    return { lastSequence: state.last_seq, alone: config.num_replicas === 1 };
  } catch (error) {
    throw shared.unavailable(`stream ${stream} can't be read`, error);
  }
}

/** Undefined when the server that answered may be behind the leader. */
async function lastOf(
  link: Link,
  stream: string,
  subjects: readonly string[],
  leader: Leader,
): Promise<StoredMessage[] | undefined> {
  const messages: StoredMessage[] = [];
  const query = { multi_last: subjects };
  let part = await readBatch(link, stream, JSON.stringify(query));
  const { upTo } = part;
  for (;;) {
    messages.push(...part.messages);
    const last = part.messages.at(-1);
    if (part.pending === 0 || last === undefined) break;
    const next = { ...query, seq: last.sequence + 1, up_to_seq: upTo };
    part = await readBatch(link, stream, JSON.stringify(next));
  }
  return leader.alone || upTo >= leader.lastSequence ? messages : undefined;
}

async function askLeader(
  jsm: JetStreamManager,
  stream: string,
  subjects: readonly string[],
  found: Map<string, StoredMessage>,
): Promise<void> {
  await inTurns(subjects, LEADER_AT_ONCE, async (subject) => {
    const message = await readOne(jsm, stream, { last_by_subj: subject }, { leader: true });
    if (message !== undefined) found.set(subject, message);
  });
}
