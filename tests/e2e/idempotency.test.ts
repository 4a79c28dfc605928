import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { inMesh } from "../support/mode.ts";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import { directId, type JsonRecord, TestUser, textTo } from "../support/user.ts";

interface SendBody {
  readonly record: JsonRecord;
  readonly duplicate: boolean;
}

describe("a message that is repeated", () => {
  let alice: TestUser;
  let bob: TestUser;
  let conversationId: string;

  beforeEach(async () => {
    const { at } = installation();
    [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    conversationId = directId(alice.userId, bob.userId);
  });

  it("is one record, sent 50 times at once, by REST and by socket", async function () {
    this.timeout(30_000);
    const socket = await alice.connect();
    const id = randomUUID();
    const command = textTo(conversationId, "once", id);
    const answers = await Promise.all([
      ...Array.from({ length: 25 }, () => socket.ask(command, "messageAccepted")),
      ...Array.from({ length: 25 }, async () => {
        const { status, body } = await alice.send({ conversationId }, "once", id);
        assert.equal(status, 200, JSON.stringify(body));
        const { record, duplicate } = body as SendBody;
        return { recordId: record.recordId, seq: BigInt(record.seq), duplicate };
      }),
    ]);
    assert.equal(new Set(answers.map(({ recordId }) => recordId)).size, 1);
    assert.deepEqual(new Set(answers.map(({ seq }) => seq)), new Set([1n]));
    assert.equal(answers.filter(({ duplicate }) => !duplicate).length, 1, "exactly one answer was not a duplicate");
    assert.equal((await alice.records(conversationId)).length, 1);
    await socket.close();
  });

  it("is one record across a kill -9 of the message service", async function () {
    this.timeout(90_000);
    const { mesh } = installation();
    const socket = await alice.connect();
    const id = randomUUID();
    const first = await socket.ask(textTo(conversationId, "before", id), "messageAccepted");
    const unsure = Array.from({ length: 20 }, () => randomUUID());
    const inFlight = unsure.map((each) =>
      socket.request(textTo(conversationId, each, each), 5_000).catch(() => undefined),
    );
    await mesh.kill("message-1", "SIGKILL");
    await Promise.all(inFlight);
    await mesh.untilReady("message-1");
    const later = inMesh ? socket : await alice.connect(); // in a single process the gateway died with it
    const again = await later.ask(textTo(conversationId, "before", id, 2), "messageAccepted");
    assert.equal(again.recordId, first.recordId);
    assert.equal(again.seq, first.seq);
    assert.equal(again.duplicate, true);
    for (const each of unsure) await later.ask(textTo(conversationId, each, each, 2), "messageAccepted");
    const records = await alice.records(conversationId);
    assert.equal(records.length, 21);
    assert.equal(new Set(records.map(({ message }) => message?.clientMessageId)).size, 21);
    await later.close();
  });

  it("is refused when the key comes with another body", async () => {
    const id = randomUUID();
    assert.equal((await alice.send({ conversationId }, "one", id)).status, 200);
    const { status, body } = await alice.send({ conversationId }, "two", id);
    assert.equal(status, 409);
    assert.equal(reasonOf(body), "ERROR_REASON_IDEMPOTENCY_MISMATCH");
    assert.equal((await alice.records(conversationId)).length, 1);
  });
});
