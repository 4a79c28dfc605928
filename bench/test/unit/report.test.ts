import assert from "node:assert/strict";
import { allMet, budgetRows, budgetTable, inOrder, judged } from "../../src/budgets.ts";
import { figuresOf } from "../../src/figures.ts";
import { htmlPage } from "../../src/html/page.ts";
import { barChart, percentileChart, timeChart } from "../../src/html/svg.ts";
import { seriesOf } from "../../src/monitor.ts";
import { table } from "../../src/report.ts";
import { run, scenario } from "./runs.ts";

const verdictsOf = (rows: ReturnType<typeof budgetRows>) => rows.map(({ verdict }) => verdict);

describe("the figures of a run", () => {
  it("are rates, latencies, CPU per message and delivery, and memory", () => {
    const figures = new Map(figuresOf(run(2000, 4)).map(({ name, value }) => [name, value]));
    for (const [name, value] of [
      ["accepted", 200],
      ["delivered", 2000],
      ["ack.p50", 4],
      ["cpu.message", 250],
      ["cpu.recipient", 12.5],
      ["cpu.delivery.message-1", 25],
      ["rss.peak.message-1", 120],
      ["gatewayKiBPerSocket", 5],
    ] as const) {
      assert.ok(Math.abs((figures.get(name) ?? Number.NaN) - value) < value / 100, name);
    }
  });
});

describe("budgets", () => {
  const one = scenario("one", [
    { name: "ack p50", figure: "ack.p50", atMost: 4.5 },
    { name: "accepted", figure: "accepted", atLeast: 250 },
  ]);

  it("are met or missed by the median", () => {
    const rows = budgetRows([{ scenario: one, runs: [run(2000, 9), run(2000, 4), run(3000, 3)] }]);
    assert.deepEqual(verdictsOf(rows), ["met", "missed"]);
    assert.equal(rows[1]?.spread.max, 300);
    assert.equal(allMet(rows), false);
    assert.match(budgetTable(rows), /one: ack p50 .*≤ 4\.5 .* met\n.*one: accepted .*≥ 250 .* MISSED/);
  });

  it("are met by no run that lost something", () => {
    assert.deepEqual(verdictsOf(budgetRows([{ scenario: one, runs: [run(3000, 4, true)] }])), [
      "NOT CONSERVED",
      "NOT CONSERVED",
    ]);
  });

  it("may compare two scenarios", () => {
    const other = scenario("other", [{ name: "CPU", figure: "cpu.delivery", atMost: 1.5, timesOf: "one" }]);
    const compared = (acked: number) =>
      budgetRows([
        { scenario: { ...one, budgets: [] }, runs: [run(2000, 4)] },
        { scenario: other, runs: [run(acked, 4)] },
      ]);
    assert.deepEqual(verdictsOf(compared(2000)), ["met"]);
    assert.deepEqual(verdictsOf(compared(1000)), ["missed"]);
    assert.equal(compared(1000)[0]?.spread.median, 2);
    assert.deepEqual(verdictsOf(budgetRows([{ scenario: other, runs: [run(2000, 4)] }])), ["not measured"]);
  });

  it("come in an order of their own, numbers by size", () => {
    const names = ["x", "recipients-1000", "storm-1", "mixed", "recipients-100", "one-to-one-synced", "one-to-one-200"];
    assert.deepEqual(
      inOrder(names.map((name) => ({ name }))).map(({ name }) => name),
      ["one-to-one-200", "mixed", "one-to-one-synced", "recipients-100", "recipients-1000", "storm-1", "x"],
    );
  });

  it("are not met by what was not measured", () => {
    const figures = { values: [1, Number.NaN], unit: "s", digits: 1 };
    assert.equal(judged({ name: "x", atMost: 5 }, figures, true).verdict, "not measured");
    assert.equal(judged({ name: "x", atMost: 5 }, { ...figures, values: [] }, true).verdict, "not measured");
  });
});

describe("the table", () => {
  it("shows several runs side by side, and says when something was lost", () => {
    const text = table(scenario("one", []), [run(2000, 4), run(1000, 4, true)], {
      direct: false,
      mode: "standalone",
      store: "s",
      threads: 2,
    });
    assert.match(text, /accepted +200 +100 +100 +100 +200 {2}msg\/s/);
    assert.match(text, /message-1 +250 +25\.00 +100 +120 +110/);
    assert.match(text, /run 2: NOT CONSERVED, 2 violations/);
    assert.match(text, /gateway\.uplink/);
    assert.match(text, /all services in one process/);
  });
});

describe("the page", () => {
  const all = [{ scenario: scenario("a&b", [{ name: "ack", figure: "ack.p50", atMost: 1 }]), runs: [run(2000, 4)] }];
  const page = htmlPage(all, [], { time: "now", facts: ["a <machine>"] });

  it("has everything, escaped, and needs nothing from elsewhere", () => {
    for (const text of [
      "a&amp;b",
      "&lt;a&amp;b&gt;",
      "a &lt;machine&gt;",
      'class="missed"',
      "<svg",
      "gateway.uplink",
    ]) {
      assert.ok(page.includes(text), text);
    }
    assert.doesNotMatch(page, /https?:|src=|href="\/|NaN/);
  });

  it("draws every line and bar inside the picture", () => {
    const charts = [
      percentileChart([
        {
          name: "ack",
          points: [
            [0, 1],
            [50, 20],
            [99.9, 400],
            [100, 1000],
          ],
        },
      ]),
      timeChart(
        [
          {
            name: "cpu",
            points: [
              [0, 0],
              [10, 2],
            ],
          },
          { name: "none", points: [] },
        ],
        "CPUs",
      ),
      barChart([
        { name: "a", value: 10, from: 5, label: "10" },
        { name: "b", value: 0, label: "0" },
      ]),
    ];
    for (const svg of charts) {
      const numbers = [...svg.matchAll(/points="([^"]*)"/g)].flatMap(([, text = ""]) =>
        text.split(/[ ,]/).filter(Boolean).map(Number),
      );
      assert.ok(numbers.every((value) => value >= 0 && value <= 720));
      assert.doesNotMatch(svg, /NaN|Infinity/);
    }
  });
});

describe("series of samples", () => {
  it("have the CPUs between two samples, and none where a process was restarted", () => {
    const sample = (atMs: number, pid: number, cpuSeconds: number) => ({
      ...{ atMs, busySeconds: 0, stolenSeconds: 0 },
      processes: [{ name: "auth-1", pid, cpuSeconds, rssBytes: atMs }],
    });
    const { at, processes } = seriesOf([sample(1000, 1, 1), sample(2000, 1, 1.5), sample(4000, 2, 0.1)]);
    assert.deepEqual(at, [0, 1, 3]);
    assert.deepEqual(processes, [{ name: "auth-1", cpus: [0, 0.5, 0], rssBytes: [1000, 2000, 4000] }]);
  });
});
