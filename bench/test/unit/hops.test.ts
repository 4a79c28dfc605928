import assert from "node:assert/strict";
import { HopReceiver, hopsOf, spansIn } from "../../src/hops.ts";

const nanos = (ms: number): string => `${ms}000000`;

const exported = (...spans: readonly { traceId: string; name: string; startMs: number; endMs: number }[]) =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "oceanchat-router" } }] },
        scopeSpans: [
          {
            scope: { name: "oceanchat" },
            spans: spans.map(({ traceId, name, startMs, endMs }) => ({
              ...{ traceId, name, spanId: "1", kind: 1, attributes: [] },
              ...{ startTimeUnixNano: nanos(startMs), endTimeUnixNano: nanos(endMs) },
            })),
          },
        ],
      },
    ],
  });

const close = (is: number | undefined, should: number): void => {
  assert.ok(is !== undefined && Math.abs(is - should) <= 0.01 * should + 0.001, `${is} is not ${should}`);
};

describe("hops", () => {
  it("finds the spans in an export", () => {
    const span = { traceId: "a", name: "router.exchange", startMs: 1000, endMs: 1004 };
    assert.deepEqual(spansIn(exported(span)), [span]);
    assert.deepEqual(spansIn("{}"), []);
  });

  it("puts each span in relation to the first of its trace", () => {
    const hops = hopsOf(
      [
        { traceId: "a", name: "message.send", startMs: 1002, endMs: 1005 },
        { traceId: "a", name: "gateway.uplink", startMs: 1000, endMs: 1008 },
        { traceId: "b", name: "gateway.uplink", startMs: 1500, endMs: 1504 },
        { traceId: "b", name: "gateway.deliver", startMs: 1510, endMs: 1511 },
        { traceId: "early", name: "gateway.uplink", startMs: 10, endMs: 900 },
        { traceId: "headless", name: "message.send", startMs: 1600, endMs: 1700 },
      ],
      1000,
      2000,
    );
    assert.deepEqual(
      hops.map(({ name, took }) => [name, took.count]),
      [
        ["gateway.uplink", 2],
        ["message.send", 1],
        ["gateway.deliver", 1],
      ],
    );
    close(hops[1]?.began.p50, 2);
    close(hops[1]?.took.p50, 3);
    close(hops[1]?.ended.p50, 5);
    close(hops[2]?.began.p50, 10);
    close(hops[0]?.took.max, 8);
  });

  it("are received over HTTP and taken once", async () => {
    const receiver = await HopReceiver.open();
    try {
      const post = (body: string) => fetch(`${receiver.url}/v1/traces`, { method: "POST", body });
      const span = { traceId: "a", name: "gateway.uplink", startMs: 5, endMs: 9 };
      assert.equal((await post(exported(span, { ...span, name: "router.exchange", startMs: 6 }))).status, 200);
      assert.equal((await post("{")).status, 400);
      assert.equal(receiver.take(0, 10).length, 2);
      assert.equal(receiver.take(0, 10).length, 0);
    } finally {
      receiver.close();
    }
  });
});
