import type { Head, Tiers } from "../ports.ts";
import { contradictions } from "./compare.ts";
import { isKept, mergedLog, type Place } from "./merge.ts";
import { decoded } from "./record.ts";
import { RecordIds } from "./record-ids.ts";

/** What was found out about a log. */
export interface Verdict {
  readonly logId: string;
  /** The last seq that was looked at; the log may have grown since. */
  readonly lastSeq: bigint;
  /** How many records each place has. */
  readonly stored: number;
  readonly archived: number;
  readonly streamed: number;
  /** How many lie in the stream only: the writer hasn't come to them yet. */
  readonly unwritten: number;
  /** What is wrong, the first of it. */
  readonly problems: readonly string[];
  /** How many more things are wrong. */
  readonly moreProblems: number;
}

/** How a log is verified. */
export interface VerifyOptions {
  /** How many problems are told; the others are counted. */
  readonly maxProblems: number;
  /** Waits a moment for the writer, between looks at a head that is behind. */
  pause(): Promise<void>;
}

/** How often a head that is behind the records is looked at again. */
const HEAD_LOOKS = 20;

/** Verifies one log up to where it ends at the beginning. Memory: one page of each place and the last 100,000 record ids. */
export async function verifyLog(tiers: Tiers, logId: string, options: VerifyOptions): Promise<Verdict> {
  // Before anything is read: what is written by then must be found.
  const [head, writtenUpTo] = await Promise.all([tiers.store.head(logId), tiers.stream.writtenUpTo()]);
  const ends = await Promise.all([tiers.store, tiers.archive, tiers.stream].map((tier) => tier.lastSeq(logId)));
  const lastSeq = [head?.headSeq ?? 0n, ...ends].reduce((most, each) => (each > most ? each : most));
  const check = new LogCheck(tiers, logId, { head, writtenUpTo }, options.maxProblems);
  for await (const place of mergedLog(tiers, logId, 1n, lastSeq, (problem) => check.note(problem))) {
    if ("missingFrom" in place) check.note(`${seqs(place.missingFrom, place.missingTo)} missing everywhere`);
    else await check.place(place);
  }
  await checkHead(tiers, logId, check, options);
  return check.verdict(lastSeq);
}

const seqs = (from: bigint, to: bigint) => (from === to ? `seq ${from} is` : `seq ${from} to ${to} are`);

/** The head must come to where the records are: the writer moves it after them. */
async function checkHead(tiers: Tiers, logId: string, check: LogCheck, { pause }: VerifyOptions): Promise<void> {
  let head: Head | undefined;
  for (let looks = 0; looks < HEAD_LOOKS; looks++) {
    if (looks > 0) await pause();
    head = await tiers.store.head(logId);
    if ((head?.headSeq ?? 0n) >= check.lastWritten) return;
  }
  check.note(
    head === undefined
      ? `there is no head, but records up to seq ${check.lastWritten} are stored`
      : `the head says seq ${head.headSeq}, but records up to seq ${check.lastWritten} are stored`,
  );
}

/** What was written when the look began. */
interface Known {
  readonly head: Head | undefined;
  readonly writtenUpTo: bigint;
}

class LogCheck {
  readonly #tiers: Tiers;
  readonly #logId: string;
  readonly #known: Known;
  readonly #maxProblems: number;
  readonly #ids = new RecordIds();
  readonly #problems: string[] = [];
  readonly #counts = { stored: 0, archived: 0, streamed: 0, unwritten: 0 };
  #moreProblems = 0;
  #previous = 0n;
  /** The last seq that is stored or archived. */
  lastWritten = 0n;

  constructor(tiers: Tiers, logId: string, known: Known, maxProblems: number) {
    this.#tiers = tiers;
    this.#logId = logId;
    this.#known = known;
    this.#maxProblems = maxProblems;
  }

  note(problem: string): void {
    if (this.#problems.length < this.#maxProblems) this.#problems.push(problem);
    else this.#moreProblems++;
  }

  async place(place: Place): Promise<void> {
    const { seq, store, archive, stream } = place;
    if (seq <= this.#previous) this.note(`seq ${seq} occurs once more`);
    this.#previous = seq;
    this.#counts.stored += store === undefined ? 0 : 1;
    this.#counts.archived += archive === undefined ? 0 : 1;
    this.#counts.streamed += stream === undefined ? 0 : 1;
    for (const problem of contradictions(this.#logId, place)) this.note(`seq ${seq} ${problem}`);
    this.#checkId(place);
    const written = store !== undefined || archive !== undefined || (await this.#isWritten(place));
    if (written) this.lastWritten = seq;
    if (this.#known.head?.headSeq === seq) this.#checkAtHead(this.#known.head, place);
  }

  #checkId({ seq, store, archive, stream }: Place): void {
    const recordId = decoded((store ?? archive ?? stream)?.bytes ?? new Uint8Array())?.recordId ?? "";
    if (recordId === "") return;
    const other = this.#ids.add(recordId, seq);
    if (other !== undefined) this.note(`seq ${seq} has the record id ${recordId}, which seq ${other} has too`);
  }

  /** Of a record that seems to be in the stream only. */
  async #isWritten({ seq, stream }: Place): Promise<boolean> {
    const { head, writtenUpTo } = this.#known;
    const behindHead = seq <= (head?.headSeq ?? 0n);
    const acknowledged = (stream?.streamSequence ?? 0n) <= writtenUpTo;
    if (!behindHead && !acknowledged) {
      this.#counts.unwritten++;
      return false;
    }
    if (await isKept(this.#tiers, this.#logId, seq)) return true;
    const why = behindHead ? `the head says seq ${head?.headSeq}` : "the writer has acknowledged it";
    this.note(`seq ${seq} is in the stream and neither stored nor archived, but ${why}`);
    return false;
  }

  #checkAtHead(head: Head, { seq, store, archive, stream }: Place): void {
    const entry = store ?? archive ?? stream;
    if (entry === undefined) return;
    if (Buffer.compare(head.lastRecord, entry.bytes) !== 0) {
      this.note(`seq ${seq} differs from the record that the head has`);
    }
    if (head.streamSequence !== entry.streamSequence) {
      this.note(`seq ${seq} lies at stream sequence ${entry.streamSequence}, but the head says ${head.streamSequence}`);
    }
  }

  verdict(lastSeq: bigint): Verdict {
    return {
      logId: this.#logId,
      lastSeq,
      ...this.#counts,
      problems: this.#problems,
      moreProblems: this.#moreProblems,
    };
  }
}
