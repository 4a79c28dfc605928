import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Entry } from "../ports.ts";
import type { Place } from "./merge.ts";
import { decoded } from "./record.ts";

/** What is wrong with a record where it is, and where places contradict each other; in words, without the seq. */
export function contradictions(logId: string, place: Place): string[] {
  const problems: string[] = [];
  for (const [name, entry] of Object.entries({ store: place.store, archive: place.archive, stream: place.stream })) {
    if (entry !== undefined) problems.push(...mistakes(logId, entry).map((mistake) => `${mistake} in the ${name}`));
  }
  problems.push(
    ...difference("the store", place.store, "the stream", place.stream),
    ...difference("the archive", place.archive, "the stream", place.stream),
    ...difference("the store", place.store, "the archive", place.archive),
  );
  return problems;
}

function mistakes(logId: string, { seq, bytes, key }: Entry): string[] {
  const record = decoded(bytes);
  if (record === undefined) return ["is no record"];
  const found: string[] = [];
  if (record.conversationId !== logId) found.push(`is of the log ${record.conversationId}`);
  if (record.seq !== seq) found.push(`has seq ${record.seq}`);
  if (record.recordId === "") found.push("has no record id");
  if (key !== undefined && key !== record.recordId) found.push(`has the record id ${record.recordId}, kept as ${key},`);
  if (record.acceptedTime === undefined) found.push("has no accepted time");
  return found;
}

function difference(name: string, one: Entry | undefined, otherName: string, other: Entry | undefined): string[] {
  if (one === undefined || other === undefined) return [];
  const problems: string[] = [];
  if (Buffer.compare(one.bytes, other.bytes) !== 0) {
    problems.push(`${name} differs from ${otherName}: ${whatDiffers(decoded(one.bytes), decoded(other.bytes))}`);
  }
  if (one.streamSequence !== other.streamSequence) {
    problems.push(
      `${name} says that it lies at stream sequence ${one.streamSequence}, ${otherName} ${other.streamSequence}`,
    );
  }
  return problems;
}

function whatDiffers(one: LogRecord | undefined, other: LogRecord | undefined): string {
  if (one === undefined || other === undefined) return "one of them is no record";
  const [left, right] = [fieldsOf(one), fieldsOf(other)];
  const names = [...new Set([...left.keys(), ...right.keys()])];
  const differing = names.filter((name) => JSON.stringify(left.get(name)) !== JSON.stringify(right.get(name)));
  return differing.length === 0 ? "in its encoding only" : `in ${differing.join(", ")}`;
}

function fieldsOf(record: LogRecord): Map<string, JsonValue> {
  const json = toJson(RecordSchema, record);
  return new Map(json !== null && typeof json === "object" ? Object.entries(json) : []);
}
