import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { type DeadLetter, DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { decoded } from "../../src/log/record.ts";
import { recordBytes } from "../support/fakes.ts";
import { type Installation, startInstallation } from "../support/installation.ts";
import { runCli } from "../support/run-cli.ts";

describe("oceanchat dead on a real NATS", function () {
  this.timeout(180_000);
  let at: Installation;

  before(async function () {
    this.timeout(300_000);
    at = await startInstallation();
  });

  after(async function () {
    this.timeout(60_000);
    await at.stop();
  });

  const bury = async (letter: Partial<Omit<DeadLetter, "$typeName" | "$unknown">> & { readonly stream: string }) => {
    const bytes = toBinary(
      DeadLetterSchema,
      create(DeadLetterSchema, { consumer: "worker", deliveries: 1, ...letter }),
    );
    return (await at.bus.publish(`dead.${letter.stream}`, bytes, { expectStream: "DEAD" })).sequence;
  };

  it("lists letters, of all streams or of one, page by page", async () => {
    assert.equal((await runCli(at.env, "dead", "list")).errors, "no dead letters\n");
    const first = await bury({ stream: "LOG", subject: "log.1.c.x", sequence: 7n, reason: "not a log\nentry" });
    const second = await bury({ stream: "PUSH_ONLINE", subject: "push.online.a", sequence: 8n, reason: "no address" });
    const all = await runCli(at.env, "dead", "list");
    const [one = "", other = ""] = all.out.trimEnd().split("\n");
    assert.match(one, new RegExp(`^ +${first} {2}- {2}LOG/worker {2}log.1.c.x at 7 {2}1× {2}not a log entry$`));
    assert.match(other, new RegExp(`^ +${second} .*PUSH_ONLINE/worker`));
    const some = await runCli(at.env, "dead", "list", "--stream", "PUSH_ONLINE", "--json");
    assert.equal(JSON.parse(some.out).sequence, String(second));
    const limited = await runCli(at.env, "dead", "list", "--limit", "1");
    assert.equal(limited.errors, `more: --from ${second}\n`);
    assert.equal((await runCli(at.env, "dead", "list", "--from", String(second))).out, `${other}\n`);
  });

  it("shows what a letter holds", async () => {
    const entry = create(LogEntrySchema, {
      record: decoded(recordBytes(3n)),
      audience: { case: "groupId", value: "g" },
    });
    const task = create(SendTaskSchema, { userId: "u", title: "ahoy" });
    const subject = "push.offline.send.apns";
    const sequences = [
      await bury({ stream: "LOG", subject: "log.1.c.x", payload: toBinary(LogEntrySchema, entry) }),
      await bury({ stream: "PUSH_OFFLINE", subject, payload: toBinary(SendTaskSchema, task) }),
      await bury({ stream: "LOG", subject: "log.1.c.x", payload: Uint8Array.of(0xff, 0xff) }),
      await bury({ stream: "OTHER", subject: "x", payload: Uint8Array.of(1) }),
    ];
    const shown = await Promise.all(sequences.map((each) => runCli(at.env, "dead", "show", String(each))));
    const [logged, sent, broken, unknown] = shown.map(({ out }) => JSON.parse(out).payload);
    assert.equal(logged.value.record.message.content.text.text, "text 3");
    assert.deepEqual(sent, { type: "oceanchat.push.v1.SendTask", value: { userId: "u", title: "ahoy" } });
    assert.equal(broken.base64, "//8=");
    assert.match(broken.why, /^not a oceanchat.records.v1.LogEntry: /);
    assert.deepEqual(unknown, { type: "bytes", base64: "AQ==", why: "what this stream holds is not known here" });
  });

  it("says that there is no such letter", async () => {
    const { code, errors } = await runCli(at.env, "dead", "show", "999");
    assert.equal(errors, "oceanchat: there is no dead letter 999\n");
    assert.equal(code, 1);
  });

  /** Consumes the log; what it doesn't want dies. */
  const consume = async (consumer: string, wants: () => boolean) => {
    const seen: string[] = [];
    await at.bus.ensureConsumer(LogEntrySchema, {
      name: consumer,
      ackWaitMs: 30_000,
      maxAckPending: 100,
      maxDeliver: -1,
    });
    const consumption = await at.bus.consume({
      ...{ stream: "LOG", consumer, lanes: 1, laneOf: () => 0, maxBatch: 1, maxInFlight: 10 },
      handle: async ([message]) => {
        if (!wants()) return [{ dead: "unwanted" }];
        seen.push(message?.messageId ?? "");
        return ["ack"];
      },
    });
    return { seen, consumption };
  };

  const until = async (condition: () => boolean | Promise<boolean>) => {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it("gives letters back to the consumer that gave them up: one, then all of it", async () => {
    let wanted = false;
    const entry = toBinary(LogEntrySchema, create(LogEntrySchema, { record: decoded(recordBytes(1n)) }));
    for (const messageId of ["one", "other"]) {
      await at.bus.publish("log.1.c.replayed", entry, { expectStream: "LOG", messageId });
    }
    const [worker, bystander] = [await consume("picky", () => wanted), await consume("bystander", () => true)];
    const letters = async () => {
      const { out } = await runCli(at.env, "dead", "list", "--stream", "LOG", "--json");
      const all = out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      return all.filter(({ consumer }) => consumer === "picky");
    };
    await until(async () => (await letters()).length === 2);
    const [first, second] = await letters();
    wanted = true;
    const one = await runCli(at.env, "dead", "replay", first.sequence);
    assert.equal(one.out, `${first.sequence}  given back to LOG/picky\n`);
    assert.equal(one.errors, "1 given back\n");
    assert.equal(one.code, 0);
    await until(() => worker.seen.length === 1);
    const all = await runCli(at.env, "dead", "replay", "--all", "--stream", "LOG", "--consumer", "picky");
    assert.deepEqual(all.out.trimEnd().split("\n"), [
      `${first.sequence}  was given back to LOG/picky a moment ago`,
      `${second.sequence}  given back to LOG/picky`,
    ]);
    assert.equal(all.code, 0);
    await until(() => worker.seen.length === 2);
    await Promise.all([worker, bystander].map(({ consumption }) => consumption.stop()));
    assert.deepEqual(worker.seen, ["one", "other"]);
    assert.deepEqual(bystander.seen, ["one", "other"], "whoever had no trouble gets nothing twice");
    const missing = await runCli(at.env, "dead", "replay", "9999");
    assert.equal(missing.out, "9999  is no dead letter\n");
    assert.equal(missing.code, 1);
  });

  it("gives nothing back that nobody takes", async () => {
    const sequence = await bury({ stream: "GONE", subject: "x" });
    const { code, out } = await runCli(at.env, "dead", "replay", String(sequence));
    assert.equal(out, `${sequence}  nobody takes back what GONE/worker has given up\n`);
    assert.equal(code, 1);
  });
});
