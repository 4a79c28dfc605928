import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Recipient } from "./packed-targets.ts";
import { type PacketWriter, packetWriter } from "./packets.ts";

/** A record and the connections that it goes to. */
export interface Addressed {
  readonly record: Record;
  /** Its bytes as they came. */
  readonly encoded?: Uint8Array;
  readonly targets: readonly Recipient[];
  /** Whether users whose connection is gone should be told offline instead. */
  readonly notify: boolean;
  /** Whether a hint is sent in its place: what comes after it may have come to the connections before. */
  readonly hintOnly?: boolean;
}

/** A packet for some connections. */
export interface Frame {
  /** All of one codec. */
  readonly targets: readonly Recipient[];
  readonly payload: Uint8Array;
  readonly hint: Uint8Array;
  /** The conversation. */
  readonly hintKey: string;
  /** The last record's seq. */
  readonly hintOrder: bigint;
  /** What the packet tells of. */
  readonly records: readonly Addressed[];
}

/** The largest packet, in bytes, unless a single record is larger. */
export const FRAME_BYTES = 48 * 1024;
/** How many connections one call to a gateway names. */
const FRAME_CONNECTIONS = 1000;

/** Records that some connections get one after another: the last of them and what comes before. */
interface Run {
  readonly last: Addressed | undefined;
  readonly before: Run | undefined;
  readonly longer: Map<Addressed, Run>;
}

/**
 * Packs records into as few packets as can be. Connections that get the same records of a conversation get the same packets,
 * however many records lie between, and each connection gets each conversation in order.
 */
export function frames(addressed: readonly Addressed[]): Frame[] {
  const writers = new Map<Codec, PacketWriter>();
  const found: Frame[] = [];
  for (const conversation of byConversation(addressed)) {
    for (const [run, byCodec] of runsOf(conversation)) {
      const records = recordsOf(run);
      for (const [codec, targets] of byCodec) {
        const writer = writers.get(codec) ?? packetWriter(codec);
        writers.set(codec, writer);
        found.push(...framesOf(records, targets, writer));
      }
    }
  }
  return found;
}

function byConversation(addressed: readonly Addressed[]): Iterable<readonly Addressed[]> {
  const conversations = new Map<string, Addressed[]>();
  for (const each of addressed) {
    const { conversationId } = each.record;
    if (!conversations.get(conversationId)?.push(each)) conversations.set(conversationId, [each]);
  }
  return conversations.values();
}

/** The different runs of a conversation's records, and who gets each. */
function runsOf(conversation: readonly Addressed[]): Map<Run, Map<Codec, Recipient[]>> {
  const start: Run = { last: undefined, before: undefined, longer: new Map() };
  const reached = new Map<string, { readonly target: Recipient; run: Run }>();
  for (const each of conversation) {
    for (const target of each.targets) {
      const at = reached.get(target.connectionId);
      if (at === undefined) reached.set(target.connectionId, { target, run: longer(start, each) });
      else if (at.run.last !== each) at.run = longer(at.run, each);
    }
  }
  const runs = new Map<Run, Map<Codec, Recipient[]>>();
  for (const { target, run } of reached.values()) {
    const codec = target.codec === Codec.JSON ? Codec.JSON : Codec.BINARY;
    const byCodec = runs.get(run) ?? new Map<Codec, Recipient[]>();
    runs.set(run, byCodec);
    if (!byCodec.get(codec)?.push(target)) byCodec.set(codec, [target]);
  }
  return runs;
}

function longer(run: Run, next: Addressed): Run {
  const known = run.longer.get(next);
  if (known !== undefined) return known;
  const made: Run = { last: next, before: run, longer: new Map() };
  run.longer.set(next, made);
  return made;
}

function recordsOf(run: Run): Addressed[] {
  const records: Addressed[] = [];
  for (let at: Run | undefined = run; at?.last !== undefined; at = at.before) records.push(at.last);
  return records.reverse();
}

function framesOf(records: readonly Addressed[], targets: readonly Recipient[], writer: PacketWriter): Frame[] {
  return packetsOf(records, writer).flatMap((packet) =>
    Array.from({ length: Math.ceil(targets.length / FRAME_CONNECTIONS) }, (_, part) => ({
      ...packet,
      targets: targets.slice(part * FRAME_CONNECTIONS, (part + 1) * FRAME_CONNECTIONS),
    })),
  );
}

function packetsOf(records: readonly Addressed[], writer: PacketWriter): Omit<Frame, "targets">[] {
  const packets: Omit<Frame, "targets">[] = [];
  let part: Addressed[] = [];
  let bytes = 0;
  const close = () => {
    const last = part.at(-1);
    if (last === undefined) return;
    const { conversationId: hintKey, seq: hintOrder } = last.record;
    const hint = writer.hint(hintKey, hintOrder);
    const payload = isHinted(last) ? hint : writer.records(part);
    packets.push({ payload, hint, hintKey, hintOrder, records: part });
    part = [];
    bytes = 0;
  };
  for (const each of records) {
    const [previous] = part;
    const size = isHinted(each) ? 0 : writer.sizeOf(each);
    const another = previous !== undefined && isHinted(previous) !== isHinted(each);
    if (another || bytes + size > FRAME_BYTES) close();
    part.push(each);
    bytes += size;
  }
  close();
  return packets;
}

/** A record that travels without its body can only be hinted at. A body that this version doesn't know is still a body. */
function isHinted({ record: { body, $unknown }, hintOnly = false }: Addressed): boolean {
  return hintOnly || (body.case === undefined && $unknown === undefined);
}
