import type { Entry, Note, Tier, Tiers } from "../ports.ts";

/** One seq of a log and what each place has there. */
export interface Place {
  readonly seq: bigint;
  readonly store: Entry | undefined;
  readonly archive: Entry | undefined;
  readonly stream: Entry | undefined;
}

/** Seqs that nobody has. */
export interface Hole {
  readonly missingFrom: bigint;
  readonly missingTo: bigint;
}

type TierName = "store" | "archive" | "stream";

/** In this order: what is being moved from one to the next is then seen in one of them. */
const NAMES: readonly TierName[] = ["store", "archive", "stream"];
/** How much of a hole is looked for at once. */
const CHUNK = 500n;

/** A log's records from one seq to another, merged from all places, with its holes. In memory is one page of each place. */
export async function* mergedLog(
  tiers: Tiers,
  logId: string,
  from: bigint,
  to: bigint,
  note: Note,
): AsyncGenerator<Place | Hole> {
  let next = from;
  for await (const place of merged(tiers, logId, from, to, note)) {
    if (place.seq > next) yield* lookAgain(tiers, logId, next, place.seq - 1n);
    yield place;
    if (place.seq >= next) next = place.seq + 1n;
  }
  if (next <= to) yield* lookAgain(tiers, logId, next, to);
}

/** Whether a seq is stored or archived now: it may have become so since its page was read. */
export async function isKept(tiers: Tiers, logId: string, seq: bigint): Promise<boolean> {
  return (await collected(tiers, logId, seq, seq, ["store", "archive"])).has(seq);
}

async function* lookAgain(tiers: Tiers, logId: string, from: bigint, to: bigint): AsyncGenerator<Place | Hole> {
  let missingFrom: bigint | undefined;
  for (let first = from; first <= to; first += CHUNK) {
    const last = first + CHUNK - 1n < to ? first + CHUNK - 1n : to;
    const found = await collected(tiers, logId, first, last);
    for (let seq = first; seq <= last; seq++) {
      const place = found.get(seq);
      if (place === undefined) {
        missingFrom ??= seq;
        continue;
      }
      if (missingFrom !== undefined) yield { missingFrom, missingTo: seq - 1n };
      missingFrom = undefined;
      yield place;
    }
  }
  if (missingFrom !== undefined) yield { missingFrom, missingTo: to };
}

async function collected(
  tiers: Tiers,
  logId: string,
  from: bigint,
  to: bigint,
  names = NAMES,
): Promise<Map<bigint, Place>> {
  const found = new Map<bigint, Place>();
  for (const name of names) {
    for await (const entry of tiers[name].range(logId, from, to, () => undefined)) {
      found.set(entry.seq, { ...(found.get(entry.seq) ?? nowhere(entry.seq)), [name]: entry });
    }
  }
  return found;
}

const nowhere = (seq: bigint): Place => ({ seq, store: undefined, archive: undefined, stream: undefined });

/** A tier's records, one ahead. */
class Ahead {
  readonly #entries: AsyncIterator<Entry>;
  next: Entry | undefined;

  constructor(tier: Tier, logId: string, from: bigint, to: bigint, note: Note) {
    this.#entries = tier.range(logId, from, to, note)[Symbol.asyncIterator]();
  }

  async read(): Promise<void> {
    const { done, value } = await this.#entries.next();
    this.next = done === true ? undefined : value;
  }

  /** The one of that seq, if it is the next. */
  async take(seq: bigint): Promise<Entry | undefined> {
    const { next } = this;
    if (next === undefined || next.seq !== seq) return undefined;
    await this.read();
    return next;
  }
}

async function* merged(tiers: Tiers, logId: string, from: bigint, to: bigint, note: Note): AsyncGenerator<Place> {
  const open = (tier: Tier) => new Ahead(tier, logId, from, to, note);
  const [store, archive, stream] = [open(tiers.store), open(tiers.archive), open(tiers.stream)];
  const all = [store, archive, stream];
  for (const each of all) await each.read();
  for (;;) {
    const seqs = all.flatMap(({ next }) => (next === undefined ? [] : [next.seq]));
    const [first, ...others] = seqs;
    if (first === undefined) return;
    const seq = others.reduce((least, each) => (each < least ? each : least), first);
    yield { seq, store: await store.take(seq), archive: await archive.take(seq), stream: await stream.take(seq) };
  }
}
