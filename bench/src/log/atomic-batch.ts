import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { startServers } from "@oceanchat/infra/servers-for-tests";

// One conversation with a queue that is always full: what is gained when many records are published as one atomic batch instead of one
// after another? Prints one JSON line: records per second of each way, and how the server treats batches with a repeated message id or
// an expectation that isn't met (docs/adr/0009-one-publish-per-record.md).
//
// node bench/src/log/atomic-batch.ts [--seconds 3] [--runs 3] [--bytes 300] [--sync always]

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    runs: { type: "string", default: "3" },
    /** The size of a record. */
    bytes: { type: "string", default: "300" },
    /** NATS' `sync_interval`; `always`: nothing is acknowledged before it is on disk. */
    sync: { type: "string" },
  },
});

const STREAM = "BENCH";
const SIZES = [16, 64, 256] as const;

/** What the server says to a publish. */
interface Answer {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code: number; readonly description: string };
}

interface Extra {
  readonly id?: string;
  readonly expected?: number;
  /** Where to, if not to where the others of the batch go. */
  readonly elsewhere?: string;
  readonly batch?: { readonly id: string; readonly sequence: number; readonly commit: boolean };
}

let serial = 0;

function headersOf({ id, expected, batch }: Extra) {
  const all = headers();
  all.set("Nats-Msg-Id", id ?? `00000000-0000-7000-8000-000000000001:${serial++}`);
  all.set("Nats-Expected-Stream", STREAM);
  if (expected !== undefined) all.set("Nats-Expected-Last-Subject-Sequence", String(expected));
  if (batch === undefined) return all;
  all.set("Nats-Batch-Id", batch.id);
  all.set("Nats-Batch-Sequence", String(batch.sequence));
  if (batch.commit) all.set("Nats-Batch-Commit", "1");
  return all;
}

/** Publishes as message does: one record, one answer. */
async function one(nc: NatsConnection, subject: string, data: Uint8Array, extra: Extra): Promise<Answer> {
  return (await nc.request(subject, data, { headers: headersOf(extra), timeout: 10_000 })).json<Answer>();
}

/** Publishes all in one batch, without waiting for anything but the answer to the last: nothing can be faster. */
async function together(nc: NatsConnection, subject: string, data: Uint8Array, all: readonly Extra[]): Promise<Answer> {
  const id = `batch-${serial++}`;
  for (const [index, extra] of all.slice(0, -1).entries()) {
    nc.publish(extra.elsewhere ?? subject, data, {
      headers: headersOf({ ...extra, batch: { id, sequence: index + 1, commit: false } }),
    });
  }
  const last = { ...all.at(-1), batch: { id, sequence: all.length, commit: true } };
  return (await nc.request(subject, data, { headers: headersOf(last), timeout: 10_000 })).json<Answer>();
}

/** Records per second. */
async function rate(seconds: number, size: number, publish: (expected: number) => Promise<Answer>): Promise<number> {
  let [count, expected] = [0, 0];
  const started = performance.now();
  while (performance.now() - started < seconds * 1000) {
    const { seq, error } = await publish(expected);
    if (seq === undefined) throw new Error(`refused: ${JSON.stringify(error)}`);
    expected = seq;
    count += size;
  }
  return Math.round((count * 1000) / (performance.now() - started));
}

const short = ({ seq, duplicate, error }: Answer): string =>
  error === undefined
    ? `stored up to ${seq}${duplicate ? ", duplicate" : ""}`
    : `${error.err_code} ${error.description}`;

/** How batches are treated that a writer which repeats and competes has to expect. Each says how many records were stored, too. */
async function treatment(nc: NatsConnection, data: Uint8Array): Promise<Record<string, string>> {
  const manager = await jetstreamManager(nc);
  const stored = async () => (await manager.streams.info(STREAM)).state.messages;
  const results: Record<string, string> = {};
  const probe = async (name: string, batch: (name: string, expected: number) => readonly Extra[]) => {
    const subject = `bench.${name.replaceAll(" ", "-")}`;
    const first = await one(nc, subject, data, { id: `${name}:known`, expected: 0 });
    const before = await stored();
    const said = short(await together(nc, subject, data, batch(name, first.seq ?? 0)));
    results[name] = `${said}; ${(await stored()) - before} stored`;
  };
  await probe("as it should be", (_, expected) => [{ expected }, {}, {}]);
  await probe("expectation not met", (_, expected) => [{ expected: expected - 1 }, {}, {}]);
  await probe("expectation on the second too", (_, expected) => [{ expected }, { expected: expected + 1 }, {}]);
  await probe("another conversation with its own", (_, expected) => [
    { expected },
    { expected: 0, elsewhere: "bench.elsewhere" },
    {},
  ]);
  await probe("same id twice inside", (name, expected) => [{ expected }, { id: `${name}:x` }, { id: `${name}:x` }]);
  await probe("first id known", (name, expected) => [{ expected, id: `${name}:known` }, {}, {}]);
  await probe("second id known", (name, expected) => [{ expected }, { id: `${name}:known` }, {}]);
  const lost = [{ expected: 0, id: "lost:1" }, { id: "lost:2" }];
  await together(nc, "bench.lost", data, lost);
  results["repeated after its answer was lost"] = short(await together(nc, "bench.lost", data, lost));
  return results;
}

async function measure(nc: NatsConnection): Promise<object> {
  const [seconds, runs, bytes] = [values.seconds, values.runs, values.bytes].map(Number) as [number, number, number];
  const data = new Uint8Array(bytes).fill(120);
  const rates: Record<string, number[]> = {};
  for (let run = 0; run < runs; run++) {
    const note = async (name: string, measured: Promise<number>) => {
      rates[name] = [...(rates[name] ?? []), await measured];
    };
    const subject = (name: string) => `bench.rate.${run}.${name}`;
    await note(
      "one by one",
      rate(seconds, 1, (expected) => one(nc, subject("1"), data, { expected })),
    );
    for (const size of SIZES) {
      const rest = Array.from({ length: size - 1 }, () => ({}));
      const publish = (expected: number) => together(nc, subject(`b${size}`), data, [{ expected }, ...rest]);
      await note(`batches of ${size}`, rate(seconds, size, publish));
    }
    // Not a way to write one conversation: what the same client and server do for 32 of them side by side, one record each at a time.
    const side = Array.from({ length: 32 }, (_, n) =>
      rate(seconds, 1, (expected) => one(nc, subject(`side${n}`), data, { expected })),
    );
    await note(
      "32 conversations, one by one",
      Promise.all(side).then((each) => each.reduce((a, b) => a + b, 0)),
    );
  }
  return { recordsPerSecond: rates, treatment: await treatment(nc, data) };
}

const servers = await startServers({
  nats: true,
  ...(values.sync === undefined ? {} : { natsSyncInterval: values.sync }),
});
try {
  const nc = await connect({ servers: servers.natsUrl });
  const manager = await jetstreamManager(nc);
  const tenMinutes = 600_000_000_000;
  const subjects = ["bench.>"];
  const kept = { storage: StorageType.File, duplicate_window: tenMinutes, allow_atomic: true };
  await manager.streams.add({ name: STREAM, subjects, ...kept });
  const version = nc.info?.version;
  const measured = await measure(nc);
  const load = loadavg().map((value) => Math.round(value * 10) / 10);
  process.stdout.write(`${JSON.stringify({ name: "atomic-batch", nats: version, ...values, load, ...measured })}\n`);
  await nc.close();
} finally {
  await servers.stop();
}
