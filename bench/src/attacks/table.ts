import { type AttackResults, mostGrowth, type PhaseTimes, slowdown } from "./result.ts";

const MIB = 1024 * 1024;

/** A table of texts. */
export interface AttackTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What others noticed, and what the offenders were told. */
export function noticed(results: AttackResults): AttackTable {
  const { calmCpus, before, attacks, after } = results;
  const times = ({ ack, delivery }: PhaseTimes): string[] =>
    [ack.p50, ack.p99, delivery.p50, delivery.p99].map((value) => value.toFixed(1));
  return {
    head: ["", "ack p50", "ack p99", "deliv. p50", "deliv. p99 ms", "times", "CPUs", "told"],
    rows: [
      ["calm, before", ...times(before), "", calmCpus.toFixed(2), ""],
      ...attacks.map((one) => [
        one.name,
        ...times(one),
        slowdown(results, one).toFixed(2),
        one.cpus.toFixed(2),
        `${one.unexpected > 0 ? `${one.unexpected} UNTYPED: ` : ""}${listed(one.outcomes)}`,
      ]),
      ["calm, after", ...times(after), "", "", ""],
    ],
  };
}

/** Memory of the services: RSS before, at most and after; what they refer to, before and after. */
export function memory({ attacks }: AttackResults): AttackTable {
  const mib = (bytes: number, digits = 0): string => (bytes / MIB).toFixed(digits);
  return {
    head: [
      "RSS before, peak, after; live before > after, MiB",
      ...(attacks[0]?.memory ?? []).map(({ service }) => service),
      "times",
    ],
    rows: attacks.map(({ name, memory: services }) => [
      name,
      ...services.map(
        ({ beforeBytes, peakBytes, afterBytes, liveBeforeBytes, liveAfterBytes }) =>
          `${mib(beforeBytes)} ${mib(peakBytes)} ${mib(afterBytes)}${
            Number.isNaN(liveBeforeBytes) ? "" : `; ${mib(liveBeforeBytes, 1)} > ${mib(liveAfterBytes, 1)}`
          }`,
      ),
      Number.isNaN(mostGrowth(services)) ? "" : mostGrowth(services).toFixed(2),
    ]),
  };
}

/** Both for the terminal. */
export function attackLines(results: AttackResults): string[] {
  const titles = results.attacks.map(({ name, title }) => `  ${name.padEnd(18)}${title}`);
  return ["  attacks:", ...titles, "", ...lines(noticed(results)), "", ...lines(memory(results))];
}

/** Columns as wide as they have to be; the first and the last to the left. */
function lines({ head, rows }: AttackTable): string[] {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === row.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd()
      .padStart(2),
  );
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, count]) => `${count} × ${what}`)
    .join(", ");
