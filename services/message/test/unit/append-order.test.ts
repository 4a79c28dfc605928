import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { groupLog } from "../../src/core/log.ts";
import { draft, log, setUp } from "../support/appending.ts";
import { gate, reason, uuid } from "../support/fakes.ts";

describe("waiting for a log", () => {
  it("keeps the order of arrival, whatever must be known before", async () => {
    const { appender, stream } = setUp();
    const { opened, open } = gate();
    const all = [
      appender.append(draft("1", { ready: opened.then(() => undefined) })),
      appender.append(draft("2")),
      appender.append(draft("3", { ready: Promise.resolve(undefined) })),
    ];
    open();
    await Promise.all(all);
    const texts = stream.recordsOf(log.id).map(({ body }) => body.case === "message" && body.value.clientMessageId);
    assert.deepEqual(texts, ["1", "2", "3"]);
  });

  it("is not held up by other logs", async () => {
    const { appender } = setUp();
    const { opened, open } = gate();
    const held = appender.append(draft("1", { ready: opened.then(() => undefined) }));
    assert.equal((await appender.append(draft("2", { to: groupLog(uuid(8)) }))).record.seq, 1n);
    open();
    await held;
  });

  it("never has two publishes of one log under way", async () => {
    const { appender, stream } = setUp();
    let running = 0;
    let most = 0;
    const publish = stream.publish.bind(stream);
    stream.publish = async (logId, entry, options) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      return publish(logId, entry, options).finally(() => running--);
    };
    await Promise.all(Array.from({ length: 30 }, (_, n) => appender.append(draft(`m${n}`))));
    assert.equal(most, 1);
  });

  it("passes on why a message may not be appended, and stores the next", async () => {
    const { appender, stream } = setUp();
    const refused = Promise.reject(shared.rateLimited(1));
    await assert.rejects(appender.append(draft("1", { ready: refused })), reason("RATE_LIMITED"));
    assert.equal((await appender.append(draft("2"))).record.seq, 1n);
    assert.equal(stream.stored.length, 1);
  });

  it("answers with the record that an earlier try has left", async () => {
    const { appender, stream } = setUp();
    const earlier = draft("1").record;
    earlier.seq = 17n;
    const { record, duplicate } = await appender.append(draft("1", { ready: Promise.resolve(earlier) }));
    assert.deepEqual([record.seq, duplicate], [17n, true]);
    const other = draft("2", { ready: Promise.resolve(earlier) });
    await assert.rejects(appender.append(other), reason("IDEMPOTENCY_MISMATCH"));
    assert.equal(stream.stored.length, 0);
  });

  it("refuses more than the limit of one log, and of all", async () => {
    const { appender } = setUp({ perLog: 2, total: 3 });
    const { opened, open } = gate();
    const held = () => ({ ready: opened.then(() => undefined) });
    const all = [appender.append(draft("1", held())), appender.append(draft("2"))];
    await assert.rejects(appender.append(draft("3")), reason("OVERLOADED"));
    all.push(appender.append(draft("4", { ...held(), to: groupLog(uuid(8)) })));
    await assert.rejects(appender.append(draft("5", { to: groupLog(uuid(7)) })), reason("OVERLOADED"));
    open();
    await Promise.all(all);
    assert.equal((await appender.append(draft("6"))).record.seq, 3n);
  });

  it("ends for a message whose time is up before its turn came; it is not stored", async () => {
    const { appender, clock, stream } = setUp();
    const { opened, open } = gate();
    const first = appender.append(draft("1", { ready: opened.then(() => undefined) }));
    const second = appender.append(draft("2"));
    clock.ms += 5000;
    open();
    await assert.rejects(first, reason("UNAVAILABLE"));
    await assert.rejects(second, reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
  });

  it("remembers a bounded number of heads", async () => {
    const { appender, stream } = setUp({ heads: 2 });
    for (const n of [1, 2, 3]) await appender.append(draft("m", { to: groupLog(uuid(n)), key: `m${n}` }));
    stream.calls.length = 0;
    await appender.append(draft("n", { to: groupLog(uuid(3)) }));
    assert.deepEqual(stream.calls, ["publish"]);
    assert.equal((await appender.append(draft("o", { to: groupLog(uuid(1)) }))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["publish", "last", "publish"]);
  });
});
