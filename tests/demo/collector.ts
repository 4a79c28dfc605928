import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as a service exported it. */
export interface SeenSpan {
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly traceId: string;
}

/** A collector of spans: takes what the services export (OTLP, JSON over HTTP) and answers questions about it. */
export interface Collector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  /** The first span that fits, here already or still to come. */
  until(accepts: (span: SeenSpan) => boolean, timeoutMs?: number): Promise<SeenSpan>;
  close(): Promise<void>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}
interface Export {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans?: readonly {
      readonly spans?: readonly { readonly name: string; readonly traceId: string }[];
    }[];
  }[];
}

/** Starts a collector on a free port. */
export async function startCollector(): Promise<Collector> {
  const spans: SeenSpan[] = [];
  const arrived = new EventTarget();
  const server = createServer((request, response) => {
    read(request).then(
      (body) => {
        spans.push(...spansOf(JSON.parse(body) as Export));
        arrived.dispatchEvent(new Event("spans"));
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      },
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async until(accepts, timeoutMs = 20_000) {
      const late = AbortSignal.timeout(timeoutMs);
      for (;;) {
        const span = spans.find(accepts);
        if (span !== undefined) return span;
        await new Promise((resolve, reject) => {
          arrived.addEventListener("spans", resolve, { once: true });
          late.addEventListener("abort", () => reject(new Error("no such span came")), { once: true });
        });
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function spansOf({ resourceSpans = [] }: Export): SeenSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const attribute = (key: string) => resource?.attributes?.find((each) => each.key === key)?.value.stringValue ?? "";
    const service = attribute("service.name");
    const instance = attribute("service.instance.id");
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.map(({ name, traceId }) => ({ service, instance, name, traceId })),
    );
  });
}
