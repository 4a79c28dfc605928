import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ArchivedRecordsSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { Long } from "mongodb";
import { recordBytes } from "../support/fakes.ts";
import { type Installation, startInstallation } from "../support/installation.ts";
import { runCli, startCli } from "../support/run-cli.ts";

describe("oceanchat log on real servers", function () {
  this.timeout(180_000);
  let at: Installation;
  let logId: string;

  before(async function () {
    this.timeout(300_000);
    at = await startInstallation();
  });

  after(async function () {
    this.timeout(60_000);
    await at.stop();
  });

  beforeEach(() => {
    logId = `g_${randomUUID()}`;
  });

  /** Moves what is stored up to a seq into one block. */
  const archive = async (toSeq: number) => {
    const records = at.collection("records");
    const found = await records.find({ conversationId: logId }).sort({ seq: 1 }).limit(toSeq).toArray();
    const data = toBinary(
      ArchivedRecordsSchema,
      create(ArchivedRecordsSchema, {
        records: found.map(({ record, streamSequence }) => ({ record: record.buffer, streamSequence })),
      }),
    );
    await at.collection("archive_blocks").insertOne({
      _id: `${logId}:1`,
      conversationId: logId,
      fromSeq: Long.fromNumber(1),
      toSeq: Long.fromNumber(toSeq),
      messageCount: toSeq,
      data: zstdCompressSync(data),
    });
    await records.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } });
  };

  it("finds nothing wrong with a log in all three places, longer than a page", async () => {
    await at.write(logId, 450);
    await archive(220);
    await at.publish(logId, 451n);
    const { code, out, errors } = await runCli(at.env, "log", "verify", logId);
    assert.equal(errors, "");
    assert.equal(
      out,
      `ok     ${logId}  seq 1 to 451: 220 archived, 230 stored, 451 in the stream, 1 of them not written yet\n`,
    );
    assert.equal(code, 0);
  });

  it("names what is wrong, for people and for machines", async () => {
    await at.write(logId, 9);
    const records = at.collection("records");
    await records.deleteOne({ _id: `${logId}/4` });
    const other = recordBytes(6n, { logId, recordId: `${logId}/6`, text: "forged" });
    await records.updateOne({ _id: `${logId}/6` }, { $set: { record: other } });
    const { code, out } = await runCli(at.env, "log", "verify", logId);
    const [first, ...problems] = out.trimEnd().split("\n");
    assert.match(first ?? "", /^WRONG {2}g_\S+ {2}seq 1 to 9: 0 archived, 8 stored, 9 in the stream$/);
    assert.deepEqual(problems, [
      "  seq 4 is in the stream and neither stored nor archived, but the head says seq 9",
      "  seq 6 the store differs from the stream: in message",
    ]);
    assert.equal(code, 1);
    const json = await runCli(at.env, "log", "verify", logId, "--json");
    const verdict = JSON.parse(json.out);
    assert.equal(verdict.ok, false);
    assert.equal(verdict.problems.length, 2);
    assert.equal(json.code, 1);
  });

  it("names a block that can't be unpacked", async () => {
    await at.write(logId, 9);
    await archive(3);
    await at.collection("archive_blocks").updateOne({ _id: `${logId}:1` }, { $set: { data: Buffer.from("damaged") } });
    const { code, out } = await runCli(at.env, "log", "verify", logId);
    assert.match(out, /the archive's block g_\S+:1 can't be unpacked/);
    assert.match(out, /seq 3 is in the stream and neither stored nor archived/);
    assert.equal(code, 1);
  });

  it("verifies all logs, or a sample", async () => {
    await at.collection("conversation_heads").deleteMany({});
    const ids = Array.from({ length: 5 }, () => `g_${randomUUID()}`);
    for (const each of ids) await at.write(each, 2);
    const all = await runCli(at.env, "log", "verify", "--all");
    assert.equal(all.code, 0);
    assert.deepEqual(
      all.out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ +/)[1]),
      ids.toSorted(),
    );
    assert.equal(all.errors, "5 logs, 0 of them wrong\n");
    await at.collection("records").deleteOne({ _id: `${ids[3]}/1` });
    const wrong = await runCli(at.env, "log", "verify", "--all");
    assert.equal(wrong.errors, "5 logs, 1 of them wrong\n");
    assert.equal(wrong.code, 1);
    const sample = await runCli(at.env, "log", "verify", "--all", "--sample", "2", "--json");
    const lines = sample.out.trimEnd().split("\n");
    assert.equal(new Set(lines.map((line) => JSON.parse(line).logId)).size, 2);
  });

  it("reads from all three places", async () => {
    await at.write(logId, 9);
    await archive(3);
    await at.publish(logId, 10n, { text: "not written yet" });
    const all = await runCli(at.env, "log", "read", logId, "--json");
    const records = all.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ seq }) => Number(seq)),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.equal(records[9].message.content.text.text, "not written yet");
    const some = await runCli(at.env, "log", "read", logId, "--from", "3", "--to", "8", "--limit", "2");
    assert.match(some.out, /^ +3 .+ message {2}text 3\n +4 .+ message {2}text 4\n$/);
    assert.equal(some.errors, "more: --from 5\n");
    assert.equal(some.code, 0);
  });

  it("shows a hole when it reads", async () => {
    await at.store(logId, 1n, 1n);
    await at.store(logId, 4n, 4n);
    const { code, out, errors } = await runCli(at.env, "log", "read", logId);
    assert.equal(out.trimEnd().split("\n").length, 2);
    assert.equal(errors, "seq 2 to 3 missing\n");
    assert.equal(code, 1);
  });

  it("says that there is no such log", async () => {
    for (const command of ["read", "verify"]) {
      const { code, errors } = await runCli(at.env, "log", command, logId);
      assert.equal(errors, `oceanchat: ${logId} has no records\n`);
      assert.equal(code, 1);
    }
  });

  it("follows a log from a seq, then as records come, until it is interrupted", async () => {
    await at.write(logId, 5);
    await archive(2);
    const tail = startCli(at.env, "log", "tail", logId, "--from", "2", "--json");
    const next = async () => Number(JSON.parse(await tail.line()).seq);
    for (const seq of [2, 3, 4, 5]) assert.equal(await next(), seq);
    for (let seq = 6; seq <= 8; seq++) {
      await at.publish(logId, BigInt(seq));
      await at.publish(`g_${randomUUID()}`, 1n);
      assert.equal(await next(), seq);
    }
    const { code, errors } = await tail.interrupt();
    assert.equal(errors, "");
    assert.equal(code, 0);
  });

  it("ends with 2 when it is called wrongly, with 1 when a server can't be reached", async () => {
    const usage = await runCli(at.env, "log", "reed", logId);
    assert.match(usage.errors, /no command "log reed"/);
    assert.equal(usage.code, 2);
    const config = await runCli({ ...at.env, OCEANCHAT_NATS_URL: "x" }, "dead", "list");
    assert.equal(config.code, 2);
    const away = await runCli({ ...at.env, OCEANCHAT_NATS_URL: "nats://127.0.0.1:9" }, "dead", "list");
    assert.match(away.errors, /nats can't be reached/);
    assert.equal(away.code, 1);
    assert.equal((await runCli({}, "--help")).code, 0);
  });
});
