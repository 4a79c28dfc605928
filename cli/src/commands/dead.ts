import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { DeadLetter } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import type { Command } from "../arguments.ts";
import { CommandError } from "../errors.ts";
import { printable } from "../log/record.ts";
import { payloadOf } from "../payload.ts";
import type { DeadLetters, Output, PlacedLetter } from "../ports.ts";

type Of<N extends Command["name"]> = Extract<Command, { name: N }>;

/** Lists letters, the oldest first. */
export async function listDead(letters: DeadLetters, command: Of<"dead list">, output: Output): Promise<void> {
  const { stream, from, limit } = command;
  let shown = 0;
  for await (const placed of letters.from(from, stream)) {
    if (shown === limit) {
      output.remark(`more: --from ${placed.sequence}`);
      return;
    }
    output.line(lineOf(placed), headOf(placed));
    shown++;
  }
  if (shown === 0) output.remark("no dead letters");
}

/** Shows a letter and what it holds. */
export async function showDead(letters: DeadLetters, { sequence }: Of<"dead show">, output: Output): Promise<void> {
  const placed = await letters.at(sequence);
  if (placed === undefined) throw new CommandError(`there is no dead letter ${sequence}`);
  const { letter } = placed;
  const whole = { ...headOf(placed), ...(letter === undefined ? {} : { payload: payloadOf(letter) }) };
  output.line(JSON.stringify(whole, null, 2), whole);
}

/** Gives letters back; false when some could not be. */
export async function replayDead(letters: DeadLetters, command: Of<"dead replay">, output: Output): Promise<boolean> {
  const { sequences, stream, consumer } = command;
  const asked = sequences.length > 0 ? named(letters, sequences) : upToNow(letters, stream);
  const taken = new Map<string, boolean>();
  let given = 0;
  let well = true;
  for await (const { sequence, letter } of asked) {
    if (letter !== undefined && consumer !== undefined && letter.consumer !== consumer) continue;
    const outcome = await replayOne(letters, { sequence, letter }, taken);
    output.line(`${sequence}  ${outcome.text}`, { sequence: String(sequence), ...outcome });
    if (outcome.given) given++;
    well &&= outcome.well;
  }
  output.remark(`${given} given back`);
  return well;
}

interface ReplayOutcome {
  readonly given: boolean;
  /** Whether it was given back now or lately. */
  readonly well: boolean;
  readonly text: string;
}

async function replayOne(
  letters: DeadLetters,
  { sequence, letter }: PlacedLetter,
  taken: Map<string, boolean>,
): Promise<ReplayOutcome> {
  if (letter === undefined) return { given: false, well: false, text: "is no dead letter" };
  const to = `${letter.stream}/${letter.consumer}`;
  // One for each consumer that there is.
  const isTaken = taken.get(to) ?? (await letters.isTaken(letter.stream, letter.consumer));
  taken.set(to, isTaken);
  if (!isTaken) return { given: false, well: false, text: `nobody takes back what ${to} has given up` };
  const given = await letters.giveBack(sequence, letter);
  return { given, well: true, text: given ? `given back to ${to}` : `was given back to ${to} a moment ago` };
}

async function* named(letters: DeadLetters, sequences: readonly bigint[]): AsyncGenerator<PlacedLetter> {
  for (const sequence of sequences) yield (await letters.at(sequence)) ?? { sequence, letter: undefined };
}

/** Those that died before: what fails again meanwhile is not given back over and over. */
async function* upToNow(letters: DeadLetters, stream: string | undefined): AsyncGenerator<PlacedLetter> {
  const begun = Date.now();
  for await (const placed of letters.from(1n, stream)) {
    if (placed.letter === undefined || millisOf(placed.letter.deadTime) <= begun) yield placed;
  }
}

const millisOf = (time: Timestamp | undefined) => (time === undefined ? 0 : timestampDate(time).getTime());

function lineOf({ sequence, letter }: PlacedLetter): string {
  if (letter === undefined) return `${String(sequence).padStart(6)}  is no dead letter`;
  const { stream, consumer, subject, deliveries, reason } = letter;
  const fields = [
    String(sequence).padStart(6),
    timeOf(letter),
    `${stream}/${consumer}`,
    `${subject} at ${letter.sequence}`,
    `${deliveries}×`,
    printable(reason),
  ];
  return fields.join("  ");
}

function headOf({ sequence, letter }: PlacedLetter) {
  if (letter === undefined) return { sequence: String(sequence), reason: "is no dead letter" };
  const { stream, consumer, subject, deliveries, reason, payload } = letter;
  return {
    sequence: String(sequence),
    deadTime: timeOf(letter),
    stream,
    consumer,
    subject,
    streamSequence: String(letter.sequence),
    deliveries,
    reason,
    payloadBytes: payload.length,
  };
}

const timeOf = ({ deadTime }: DeadLetter) => (deadTime === undefined ? "-" : timestampDate(deadTime).toISOString());
