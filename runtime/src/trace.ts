import { randomBytes } from "node:crypto";
import { ROOT_CONTEXT, type Span, SpanStatusCode, TraceFlags, type Tracer, trace } from "@opentelemetry/api";
import type { ProcessConfig } from "./process-config.ts";

/** Facts about a span, for people who read traces. Never message text or tokens. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * Spans made by hand. Whatever is not traced carries the empty traceparent and costs one comparison: OpenTelemetry's own
 * instrumentation of gRPC costs 60 to 150 % per call.
 */
export interface Tracing {
  /** Decides whether to trace something that begins here, for instance a packet from a socket. */
  begin(): string;
  /** Runs something as a span of the trace and hands it the traceparent to pass on. */
  span<T>(
    name: string,
    traceparent: string,
    run: (traceparent: string) => Promise<T>,
    attributes?: Attributes,
  ): Promise<T>;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Tracing when there is nowhere to send spans to: traceparents are passed on untouched. */
export const noTracing: Tracing = {
  begin: () => "",
  span: (_name, traceparent, run) => run(traceparent),
  close: async () => {},
};

/** Makes tracing as configured. The SDK is loaded only when spans are to be sent: it costs half a second of start-up. */
export async function openTracing(service: string, config: ProcessConfig): Promise<Tracing> {
  if (config.otlpEndpoint === "") return noTracing;
  const [{ TracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all(
    [
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ],
  );
  const exporter = new OTLPTraceExporter({ url: `${config.otlpEndpoint.replace(/\/$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": `oceanchat-${service}`,
      "service.instance.id": config.instance,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("oceanchat");
  return {
    begin: () => (Math.random() < config.traceRatio ? newTraceparent() : ""),
    span: (name, traceparent, run, attributes) => withSpan(tracer, name, traceparent, run, attributes),
    close: () => provider.shutdown(),
  };
}

const newTraceparent = () => `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;

async function withSpan<T>(
  tracer: Tracer,
  name: string,
  traceparent: string,
  run: (traceparent: string) => Promise<T>,
  attributes: Attributes = {},
): Promise<T> {
  const parent = parse(traceparent);
  if (parent === undefined) return run(traceparent);
  const span = tracer.startSpan(name, { attributes }, trace.setSpanContext(ROOT_CONTEXT, parent));
  try {
    return await run(format(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** A sampled W3C trace context; undefined for anything else. */
function parse(traceparent: string) {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const traceFlags = Number.parseInt(flags, 16);
  return traceFlags & TraceFlags.SAMPLED ? { traceId, spanId, traceFlags, isRemote: true } : undefined;
}

function format(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
