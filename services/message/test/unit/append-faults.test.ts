import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { draft, log, setUp } from "../support/appending.ts";
import { reason } from "../support/fakes.ts";

describe("appending while things go wrong", () => {
  it("finds its record when only the answer was lost", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    let lost = false;
    stream.fault = () => {
      const fault = lost ? "none" : "answer-lost";
      lost = true;
      return fault;
    };
    const { record, duplicate } = await appender.append(draft("b"));
    assert.deepEqual([record.seq, duplicate], [2n, false]);
    assert.equal(stream.stored.length, 2);
    assert.deepEqual(stream.calls.slice(-3), ["publish", "last", "at"]);
  });

  it("publishes again when the request was lost, with the same id", async () => {
    const { appender, stream } = setUp();
    const faults = ["request-lost", "request-lost"] as const;
    let call = 0;
    stream.fault = () => faults[call++] ?? "none";
    const { record, duplicate } = await appender.append(draft("a"));
    assert.deepEqual([record.seq, duplicate, stream.stored.length], [1n, false, 1]);
  });

  it("says that the outcome is unknown at the deadline, and looks at the head before the next", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    stream.fault = () => "request-lost";
    await assert.rejects(appender.append(draft("b")), reason("OUTCOME_UNKNOWN"));
    stream.fault = () => "none";
    stream.calls.length = 0;
    assert.equal((await appender.append(draft("c"))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["last", "publish"]);
  });

  it("gives a repeat after an unknown outcome the record that was stored", async () => {
    const { appender, stream } = setUp();
    const last = stream.last.bind(stream);
    stream.fault = () => "answer-lost";
    stream.last = async (logId) => {
      if (stream.stored.length > 0) throw shared.unavailable("the log can't be read");
      return last(logId);
    };
    await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    assert.equal(stream.stored.length, 1);
    stream.last = last;
    stream.fault = () => "none";
    const { record, duplicate } = await appender.append(draft("a"));
    assert.deepEqual([record.seq, duplicate, stream.stored.length], [1n, true, 1]);
  });

  it("keeps an outcome unknown whatever fails after it", async () => {
    for (const fault of ["full", "unavailable"] as const) {
      const { appender, stream } = setUp();
      let call = 0;
      stream.fault = () => (call++ === 0 ? "request-lost" : fault);
      await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    }
  });

  it("does not publish twice what may be on its way: a late arrival ends in one record", async () => {
    const { appender, stream } = setUp();
    let call = 0;
    stream.fault = () => (call++ === 0 ? "late" : "none");
    const { record } = await appender.append(draft("a"));
    await stream.settled();
    assert.equal(stream.stored.length, 1);
    assert.equal(record.recordId, stream.recordsOf(log.id)[0]?.recordId);
  });

  it("says OVERLOADED when the stream is full, and goes on when it isn't", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    stream.fault = () => "full";
    await assert.rejects(appender.append(draft("b")), reason("OVERLOADED"));
    stream.fault = () => "none";
    stream.calls.length = 0;
    assert.equal((await appender.append(draft("c"))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["publish"]);
  });

  it("says UNAVAILABLE at once when nothing was sent", async () => {
    const { appender, stream } = setUp();
    stream.fault = () => "unavailable";
    await assert.rejects(appender.append(draft("a")), reason("UNAVAILABLE"));
    assert.equal(stream.calls.filter((call) => call === "publish").length, 1);
  });

  it("says that the outcome is unknown when a duplicate can't be read back", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    await appender.append(draft("b"));
    const at = stream.at.bind(stream);
    stream.at = async () => {
      throw shared.unavailable("away");
    };
    await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    stream.at = at;
    assert.equal((await appender.append(draft("a"))).duplicate, true);
  });
});
