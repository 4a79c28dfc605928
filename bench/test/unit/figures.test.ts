import assert from "node:assert/strict";
import { parseArguments } from "../../src/arguments.ts";
import { Latencies } from "../../src/latency.ts";
import { MessageIds } from "../../src/message-ids.ts";
import { paced } from "../../src/paced.ts";
import { spreadOf } from "../../src/spread.ts";
import { Tally } from "../../src/tally.ts";
import { machineTimes, processTimes, usageBetween } from "../../src/usage.ts";

describe("latencies", () => {
  it("give percentiles in milliseconds, to three digits", () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
    const { count, mean, p50, p90, p99, max } = latencies.summary();
    assert.equal(count, 1000);
    for (const [is, should] of [
      [mean, 500.5],
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [max, 1000],
    ] as const) {
      assert.ok(Math.abs(is - should) <= should / 500, `${is} is not ${should}`);
    }
  });

  it("take less than nothing and more than an hour", () => {
    const latencies = new Latencies();
    latencies.add(-0.01);
    latencies.add(1e9);
    assert.equal(latencies.summary().count, 2);
  });

  it("come out of other threads as if they had been counted here", () => {
    const [one, two, both, merged] = [new Latencies(), new Latencies(), new Latencies(), new Latencies()];
    for (let ms = 1; ms <= 2000; ms++) {
      (ms % 3 === 0 ? one : two).add(ms / 7);
      both.add(ms / 7);
    }
    merged.addEncoded(one.encode());
    merged.addEncoded(two.encode());
    merged.addEncoded(new Latencies().encode());
    assert.deepEqual(merged.summary(), both.summary());
    assert.deepEqual(merged.curve(), both.curve());
  });

  it("are all 0 when there are none", () => {
    assert.deepEqual(new Latencies().summary(), { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  });
});

describe("message ids", () => {
  it("are UUIDs that lead back to their number, in their own run only", () => {
    const ids = new MessageIds();
    for (const number of [0, 1, 255, 1_999_999]) {
      assert.match(ids.of(number), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(ids.numberOf(ids.of(number)), number);
      assert.equal(new MessageIds().numberOf(ids.of(number)), undefined);
    }
  });
});

describe("the spread of a figure", () => {
  it("is minimum, median and maximum, by size", () => {
    assert.deepEqual(spreadOf([10, 9, 100]), { values: [10, 9, 100], min: 9, median: 10, max: 100 });
    assert.equal(spreadOf([4, 1, 3, 2]).median, 2);
    assert.equal(spreadOf([7]).median, 7);
  });
});

describe("a tally", () => {
  it("counts by name and stays small", () => {
    const tally = new Tally();
    for (let n = 0; n < 1000; n++) tally.add(`reason ${n}`);
    tally.add("reason 5");
    const counts = tally.counts();
    assert.equal(Object.keys(counts).length, 101);
    assert.equal(counts["reason 5"], 2);
    assert.equal(counts.others, 900);
  });
});

describe("the use of the machine", () => {
  it("reads a process whose name holds spaces and parentheses", () => {
    const stat = `42 (a (b) c) S 1 42 42 0 -1 4194560 9 0 0 0 150 50 7 7 20 0 11 0 12345 1000000 256 184467`;
    assert.deepEqual(processTimes(stat), { cpuSeconds: 2, rssBytes: 256 * 4096 });
  });

  it("reads the machine's times", () => {
    const stat = "cpu  100 20 300 4000 500 6 7 80 0 0\ncpu0 1 2 3 4\n";
    assert.deepEqual(machineTimes(stat), { busySeconds: 4.33, stolenSeconds: 0.8 });
  });

  it("is what lies between two samples; a process with another pid was restarted", () => {
    const sample = (atMs: number, cpu: number, pid: number, busySeconds: number) => ({
      ...{ atMs, busySeconds, stolenSeconds: 0.5 },
      processes: [
        { name: "auth-1", pid: 10, cpuSeconds: cpu, rssBytes: 1000 + cpu },
        { name: "user-1", pid, cpuSeconds: cpu * 2, rssBytes: 1 },
      ],
    });
    const usage = usageBetween(sample(1000, 1, 11, 100), sample(3000, 2, 11, 104), new Map([["auth-1", 5000]]));
    assert.deepEqual(usage, {
      seconds: 2,
      processes: [
        { name: "auth-1", cpuSeconds: 1, rssStartBytes: 1001, rssPeakBytes: 5000, rssBytes: 1002 },
        { name: "user-1", cpuSeconds: 2, rssStartBytes: 1, rssPeakBytes: 1, rssBytes: 1 },
      ],
      restarted: [],
      otherCpuSeconds: 1,
      stolenCpuSeconds: 0,
    });
    assert.deepEqual(usageBetween(sample(0, 1, 11, 0), sample(1, 2, 12, 9)).restarted, ["user-1"]);
  });
});

describe("paced work", () => {
  it("keeps the order of results, the rate and the number at once", async () => {
    let running = 0;
    let most = 0;
    const began = performance.now();
    const results = await paced(Array.from({ length: 20 }), { perSecond: 200, atOnce: 3 }, async (_, index) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, (20 - index) % 7));
      running -= 1;
      return index * 2;
    });
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, index) => index * 2),
    );
    assert.ok(most <= 3);
    assert.ok(performance.now() - began >= 94, "19 intervals of 5 ms");
  });

  it("ends with the first failure", async () => {
    const begun: number[] = [];
    const work = paced([0, 1, 2, 3, 4, 5], { perSecond: 1e6, atOnce: 2 }, async (item) => {
      begun.push(item);
      await Promise.resolve();
      if (item === 1) throw new Error("no");
    });
    await assert.rejects(work, /no/);
    assert.ok(begun.length < 6);
  });
});

describe("the command line", () => {
  it("has defaults", () => {
    const { scenarios, endpoints, results, runs, threads, ...flags } = parseArguments([]);
    assert.deepEqual({ scenarios, endpoints, results }, { scenarios: [], endpoints: undefined, results: undefined });
    assert.deepEqual({ runs, threads }, { runs: 1, threads: 1 });
    assert.deepEqual(flags, { direct: false, budgets: false, mode: undefined, hops: false, help: false });
  });

  it("starts services as it is told, but not those that run already", () => {
    assert.equal(parseArguments(["--mode", "standalone"]).mode, "standalone");
    assert.throws(() => parseArguments(["--mode", "solo"]), /expected mesh or standalone/);
    assert.throws(() => parseArguments(["--mode", "mesh", "--endpoints", "e.json"]), /leave --endpoints out/);
  });

  it("takes everything it says", () => {
    const args = [
      "--runs",
      "3",
      "--threads",
      "2",
      "--direct",
      "--budgets",
      "--endpoints",
      "e.json",
      "--results",
      "out",
      "a",
      "b.json",
    ];
    assert.deepEqual(parseArguments(args), {
      ...{
        scenarios: ["a", "b.json"],
        endpoints: "e.json",
        direct: true,
        budgets: true,
        mode: undefined,
        hops: false,
        runs: 3,
        threads: 2,
        results: "out",
        help: false,
      },
    });
  });

  it("refuses what it does not know", () => {
    for (const args of [["--runs", "0"], ["--runs", "1.5"], ["--fast"]]) assert.throws(() => parseArguments(args));
  });
});
