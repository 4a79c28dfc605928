import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Entry, Head, Output, Tier, Tiers } from "../../src/ports.ts";

export const LOG_ID = "g_01890000-0000-7000-8000-000000000001";

export interface RecordParts {
  readonly logId?: string;
  readonly recordId?: string;
  readonly text?: string;
}

/** A message of a log, encoded. */
export function recordBytes(
  seq: bigint,
  { logId = LOG_ID, recordId = `record-${seq}`, text = `text ${seq}` }: RecordParts = {},
): Uint8Array {
  return toBinary(
    RecordSchema,
    create(RecordSchema, {
      conversationId: logId,
      seq,
      recordId,
      senderUserId: "01890000-0000-7000-8000-0000000000aa",
      acceptedTime: timestampFromMs(1_700_000_000_000 + Number(seq)),
      body: {
        case: "message",
        value: { clientMessageId: `client-${seq}`, content: { kind: { case: "text", value: { text } } } },
      },
    }),
  );
}

/** What a place has at a seq: the record of that seq, at ten times the seq in the stream. */
export function entryAt(seq: bigint, parts: RecordParts & { readonly key?: string } = {}): Entry {
  const { key } = parts;
  return {
    seq,
    bytes: recordBytes(seq, parts),
    streamSequence: seq * 10n,
    ...(key === undefined ? {} : { key }),
  };
}

export const entries = (from: number, to: number): Entry[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => entryAt(BigInt(from + index)));

/** A place in memory. `onRange` hears of every reading, before it begins. */
export class FakeTier implements Tier {
  entries: Entry[];
  readings = 0;
  onRange: (reading: number) => void = () => undefined;
  notes: string[] = [];

  constructor(held: Entry[]) {
    this.entries = held;
  }

  async *range(_logId: string, from: bigint, to: bigint, note: (problem: string) => void) {
    this.onRange(++this.readings);
    for (const each of this.notes) note(each);
    yield* this.entries.filter(({ seq }) => seq >= from && seq <= to);
  }

  async lastSeq() {
    return this.entries.at(-1)?.seq ?? 0n;
  }
}

export interface FakeLog {
  readonly store?: Entry[];
  readonly archive?: Entry[];
  readonly stream?: Entry[];
  /** Default: as the store's last record says. */
  readonly head?: Head | undefined;
  /** Up to which stream sequence the writer has acknowledged. */
  readonly writtenUpTo?: bigint;
}

/** A log in three places in memory. */
export function fakeTiers(log: FakeLog) {
  const store = new FakeTier(log.store ?? []);
  const archive = new FakeTier(log.archive ?? []);
  const stream = new FakeTier(log.stream ?? []);
  const last = log.store?.at(-1);
  const fitting =
    last && ({ headSeq: last.seq, streamSequence: last.streamSequence, lastRecord: last.bytes } satisfies Head);
  const heads: (Head | undefined)[] = ["head" in log ? log.head : fitting];
  const tiers = {
    store: Object.assign(store, {
      head: async () => (heads.length > 1 ? heads.shift() : heads[0]),
      logIds: async (after: string) => (after < LOG_ID ? [LOG_ID] : []),
    }),
    archive,
    stream: Object.assign(stream, {
      writtenUpTo: async () => log.writtenUpTo ?? 0n,
      behind: (_logId: string, after: bigint) => stream.range("", after / 10n + 1n, 1_000_000n, () => undefined),
      follow: () => async () => undefined,
    }),
  } satisfies Tiers;
  return { tiers, store, archive, stream, heads };
}

/** Keeps what was written. */
export class FakeOutput implements Output {
  readonly lines: string[] = [];
  readonly values: unknown[] = [];
  readonly remarks: string[] = [];

  line = (text: string, json: unknown) => {
    this.lines.push(text);
    this.values.push(json);
  };

  remark = (text: string) => void this.remarks.push(text);
}
