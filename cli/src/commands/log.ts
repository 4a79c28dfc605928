import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Command } from "../arguments.ts";
import { CommandError } from "../errors.ts";
import { mergedLog } from "../log/merge.ts";
import { decoded, recordLine } from "../log/record.ts";
import { type Verdict, verifyLog } from "../log/verify.ts";
import type { Entry, Output, Tiers } from "../ports.ts";

/** Problems that are told of one log. */
const MAX_PROBLEMS = 20;
const HEAD_PAUSE_MS = 250;
const LOGS_PER_PAGE = 500;

type Of<N extends Command["name"]> = Extract<Command, { name: N }>;

/** Shows records; false when some are missing or damaged. */
export async function readLog(tiers: Tiers, command: Of<"log read">, output: Output): Promise<boolean> {
  const { logId, from, limit } = command;
  const lastSeq = await endOf(tiers, logId);
  if (lastSeq === 0n) throw new CommandError(`${logId} has no records`);
  const to = command.to !== undefined && command.to < lastSeq ? command.to : lastSeq;
  let well = true;
  let shown = 0;
  const note = (problem: string) => {
    well = false;
    output.remark(problem);
  };
  for await (const place of mergedLog(tiers, logId, from, to, note)) {
    if ("missingFrom" in place) {
      note(`seq ${place.missingFrom} to ${place.missingTo} missing`);
      continue;
    }
    if (shown === limit) {
      output.remark(`more: --from ${place.seq}`);
      break;
    }
    const entry = place.store ?? place.archive ?? place.stream;
    if (entry !== undefined && !showRecord(entry, output)) note(`seq ${place.seq} is no record`);
    shown++;
  }
  return well;
}

/** Shows records as they come, until `signal` ends it. */
export async function tailLog(
  tiers: Tiers,
  { logId, from }: Of<"log tail">,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const lastSeq = await endOf(tiers, logId);
  let next = from ?? lastSeq + 1n;
  let behind = 0n;
  const show = (entry: Entry) => {
    if (entry.streamSequence > behind) behind = entry.streamSequence;
    if (entry.seq < next) return;
    if (!showRecord(entry, output)) output.remark(`seq ${entry.seq} is no record`);
    next = entry.seq + 1n;
  };
  for await (const place of mergedLog(tiers, logId, next, lastSeq, output.remark)) {
    if (signal.aborted) return;
    if ("missingFrom" in place) output.remark(`seq ${place.missingFrom} to ${place.missingTo} missing`);
    else show(place.store ?? place.archive ?? place.stream ?? { seq: 0n, bytes: new Uint8Array(), streamSequence: 0n });
  }
  const bell = new Bell();
  const ring = () => bell.ring();
  signal.addEventListener("abort", ring, { once: true });
  const unfollow = tiers.stream.follow(logId, ring);
  try {
    for (await bell.rung(); !signal.aborted; await bell.rung()) {
      for await (const entry of tiers.stream.behind(logId, behind, output.remark)) show(entry);
    }
  } finally {
    signal.removeEventListener("abort", ring);
    await unfollow();
  }
}

/** Remembers that it was rung until somebody has heard it. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async rung(): Promise<void> {
    while (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
  }
}

/** Verifies one log, all or a sample; false when anything is wrong. */
export async function verifyLogs(tiers: Tiers, command: Of<"log verify">, output: Output): Promise<boolean> {
  let logs = 0;
  let wrong = 0;
  for await (const logId of chosen(tiers, command)) {
    const verdict = await verifyLog(tiers, logId, { maxProblems: MAX_PROBLEMS, pause });
    if (verdict.lastSeq === 0n) throw new CommandError(`${logId} has no records`);
    logs++;
    if (verdict.problems.length > 0) wrong++;
    show(verdict, output);
  }
  if (command.logId === undefined) output.remark(`${logs} logs, ${wrong} of them wrong`);
  return wrong === 0;
}

async function* chosen(tiers: Tiers, { logId, sample }: Of<"log verify">): AsyncGenerator<string> {
  if (logId !== undefined) yield logId;
  else if (sample === undefined) yield* allLogs(tiers);
  else yield* await sampleOf(allLogs(tiers), sample);
}

async function* allLogs({ store }: Tiers): AsyncGenerator<string> {
  for (let after = ""; ; ) {
    const ids = await store.logIds(after, LOGS_PER_PAGE);
    yield* ids;
    const last = ids.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** So many of them, each as likely as any other. */
async function sampleOf(ids: AsyncIterable<string>, size: number): Promise<string[]> {
  const sample: string[] = [];
  let seen = 0;
  for await (const id of ids) {
    seen++;
    if (sample.length < size) sample.push(id);
    else {
      const place = Math.floor(Math.random() * seen);
      if (place < size) sample[place] = id;
    }
  }
  return sample;
}

function show(verdict: Verdict, output: Output): void {
  const { logId, lastSeq, stored, archived, streamed, unwritten, problems, moreProblems } = verdict;
  const counts = `seq 1 to ${lastSeq}: ${archived} archived, ${stored} stored, ${streamed} in the stream`;
  const waiting = unwritten === 0 ? "" : `, ${unwritten} of them not written yet`;
  const ok = problems.length === 0;
  const lines = [`${ok ? "ok   " : "WRONG"}  ${logId}  ${counts}${waiting}`, ...problems.map((each) => `  ${each}`)];
  if (moreProblems > 0) lines.push(`  and ${moreProblems} more`);
  output.line(lines.join("\n"), { ok, ...verdict, lastSeq: String(lastSeq) });
}

async function endOf({ store, archive, stream }: Tiers, logId: string): Promise<bigint> {
  const ends = await Promise.all([store, archive, stream].map((tier) => tier.lastSeq(logId)));
  return ends.reduce((most, each) => (each > most ? each : most), 0n);
}

/** False for what is no record. */
function showRecord({ bytes }: Entry, output: Output): boolean {
  const record = decoded(bytes);
  if (record === undefined) return false;
  const json: JsonValue = toJson(RecordSchema, record);
  output.line(recordLine(record), json);
  return true;
}

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, HEAD_PAUSE_MS));
