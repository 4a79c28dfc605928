import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { Latencies, type LatencySummary } from "./latency.ts";

/** A span as OTLP's JSON has it. */
export interface Span {
  readonly traceId: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** One step on the way of messages: when it began and ended after the gateway had got the packet, in milliseconds. */
export interface Hop {
  readonly name: string;
  readonly began: LatencySummary;
  readonly took: LatencySummary;
  readonly ended: LatencySummary;
}

/** The span that every message's trace begins with. */
const FIRST = "gateway.uplink";
const MAX_SPANS = 200_000;
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Takes in the spans of the services, as a collector would (OTLP over HTTP, JSON). */
export class HopReceiver {
  readonly #server: Server;
  readonly #spans: Span[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<HopReceiver> {
    const server = createServer();
    const receiver = new HopReceiver(server);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      request.on("error", () => response.destroy());
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) request.destroy();
        else chunks.push(chunk);
      });
      request.on("end", () => {
        const refusal = receiver.#add(Buffer.concat(chunks).toString());
        response.writeHead(refusal === undefined ? 200 : 400, { "content-type": "application/json" });
        response.end(refusal ?? "{}");
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return receiver;
  }

  /** Why a body can't be read; undefined when it was. */
  #add(body: string): string | undefined {
    try {
      const room = MAX_SPANS - this.#spans.length;
      this.#spans.push(...spansIn(body).slice(0, room));
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  /** What `OTEL_EXPORTER_OTLP_ENDPOINT` must say. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the receiver does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** The hops of the messages that came to a gateway between two moments, milliseconds since the epoch; forgets all spans. */
  take(fromMs: number, toMs: number): Hop[] {
    return hopsOf(this.#spans.splice(0), fromMs, toMs);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Puts the spans of each trace in relation to its first, and all traces together by name. */
export function hopsOf(spans: readonly Span[], fromMs: number, toMs: number): Hop[] {
  const starts = new Map<string, number>();
  for (const { traceId, name, startMs } of spans) {
    if (name === FIRST && startMs >= fromMs && startMs < toMs) starts.set(traceId, startMs);
  }
  const hops = new Map<string, { began: Latencies; took: Latencies; ended: Latencies }>();
  for (const { traceId, name, startMs, endMs } of spans) {
    const start = starts.get(traceId);
    if (start === undefined) continue;
    const hop = hops.get(name) ?? { began: new Latencies(), took: new Latencies(), ended: new Latencies() };
    hops.set(name, hop);
    hop.began.add(startMs - start);
    hop.took.add(endMs - startMs);
    hop.ended.add(endMs - start);
  }
  return [...hops]
    .map(([name, { began, took, ended }]) => ({
      name,
      began: began.summary(),
      took: took.summary(),
      ended: ended.summary(),
    }))
    .sort((a, b) => a.began.p50 - b.began.p50);
}

/** The spans of an export request; what is none is left out. */
export function spansIn(body: string): Span[] {
  const found: Span[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    const span = spanIn(Object.fromEntries(Object.entries(value)));
    if (span !== undefined) found.push(span);
    else for (const item of Object.values(value)) visit(item);
  };
  visit(JSON.parse(body));
  return found;
}

function spanIn({ traceId, name, startTimeUnixNano, endTimeUnixNano }: Record<string, unknown>): Span | undefined {
  if (typeof traceId !== "string" || typeof name !== "string") return undefined;
  const [startMs, endMs] = [startTimeUnixNano, endTimeUnixNano].map((nanos) => Number(nanos) / 1e6);
  return startMs !== undefined && endMs !== undefined && startMs > 0 && endMs > 0
    ? { traceId, name, startMs, endMs }
    : undefined;
}
