/** A line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

/** A bar of a chart; `from` makes it begin somewhere else than at 0. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly from?: number;
  readonly label: string;
}

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 60;
const BOTTOM = 28;
const TOP = 10;
const BAR_HEIGHT = 18;
const BAR_LEFT = 190;
const COLOURS = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f"];

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? "#000";
const num = (value: number): string => value.toFixed(1);

/** Latencies by percentile: each nine takes as much room as the one before, milliseconds on a logarithmic scale. */
export function percentileChart(lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const largest = Math.max(1, ...points.map(([, ms]) => ms));
  const smallest = Math.max(0.1, Math.min(largest / 10, ...points.map(([, ms]) => ms)));
  const nines = (percent: number): number => Math.min(4.3, -Math.log10(1 - Math.min(percent, 99.995) / 100));
  const x = (percent: number): number => LEFT + (nines(percent) / 4.3) * (WIDTH - LEFT - 10);
  const y = scale(Math.log10(smallest), Math.log10(largest));
  const yOf = (ms: number): number => y(Math.log10(Math.max(ms, smallest)));
  const xTicks = [0, 50, 90, 99, 99.9, 99.99].map((percent) => tickX(x(percent), `${percent} %`));
  const yTicks = powers(smallest, largest).map((ms) => tickY(yOf(ms), `${ms} ms`));
  return chart([...xTicks, ...yTicks, ...lines.map((line, index) => path(line, index, x, yOf))], lines);
}

/** Something over time. */
export function timeChart(lines: readonly Line[], unit: string): string {
  const points = lines.flatMap((line) => line.points);
  const [last, most] = [Math.max(1, ...points.map(([at]) => at)), Math.max(1e-9, ...points.map(([, value]) => value))];
  const x = (at: number): number => LEFT + (at / last) * (WIDTH - LEFT - 10);
  const y = scale(0, most);
  const quarters = [0, 0.25, 0.5, 0.75, 1];
  const ticks = quarters.flatMap((part) => [
    tickX(x(part * last), `${Math.round(part * last)} s`),
    tickY(y(part * most), `${(part * most).toPrecision(3)} ${unit}`),
  ]);
  return chart([...ticks, ...lines.map((line, index) => path(line, index, x, y))], lines);
}

/** Bars from left to right. */
export function barChart(bars: readonly Bar[]): string {
  const most = Math.max(1e-9, ...bars.map(({ from = 0, value }) => from + value));
  const x = (value: number): number => (value / most) * (WIDTH - BAR_LEFT - 110);
  const height = bars.length * BAR_HEIGHT + 4;
  const rows = bars.map(({ name, value, from = 0, label }, index) => {
    const y = index * BAR_HEIGHT + 2;
    const begin = BAR_LEFT + x(from);
    return [
      `<text x="${BAR_LEFT - 6}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${num(begin)}" y="${y}" width="${num(Math.max(1, x(value)))}" height="${BAR_HEIGHT - 4}" fill="${colour(0)}"/>`,
      `<text x="${num(begin + x(value) + 5)}" y="${y + 12}">${escaped(label)}</text>`,
    ].join("");
  });
  return `<svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">${rows.join("")}</svg>`;
}

function scale(from: number, to: number): (value: number) => number {
  const range = to - from || 1;
  return (value) => HEIGHT - BOTTOM - ((value - from) / range) * (HEIGHT - BOTTOM - TOP);
}

/** 1, 2, 5, 10, … between two values. */
function powers(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const factor of [1, 2, 5]) {
      const value = Number((factor * 10 ** power).toPrecision(1));
      if (value >= from && value <= to) found.push(value);
    }
  }
  return found;
}

const tickX = (x: number, text: string): string =>
  `<line x1="${num(x)}" y1="${TOP}" x2="${num(x)}" y2="${HEIGHT - BOTTOM}" class="grid"/><text x="${num(x)}" y="${HEIGHT - 10}" text-anchor="middle">${text}</text>`;

const tickY = (y: number, text: string): string =>
  `<line x1="${LEFT}" y1="${num(y)}" x2="${WIDTH - 10}" y2="${num(y)}" class="grid"/><text x="${LEFT - 5}" y="${num(y + 4)}" text-anchor="end">${text}</text>`;

function path({ points }: Line, index: number, x: (value: number) => number, y: (value: number) => number): string {
  const text = points.map(([a, b]) => `${num(x(a))},${num(y(b))}`).join(" ");
  return `<polyline points="${text}" fill="none" stroke="${colour(index)}" stroke-width="1.6"/>`;
}

function chart(parts: readonly string[], lines: readonly Line[]): string {
  const names = lines.map(({ name }, index) => `<span style="color:${colour(index)}">■ ${escaped(name)}</span>`);
  return `<div class="legend">${names.join(" ")}</div><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">${parts.join("")}</svg>`;
}
