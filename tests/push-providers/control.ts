import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ApnsServer } from "./apns-server.ts";
import type { FcmServer } from "./fcm-server.ts";
import { type Listening, listenOn } from "./listening.ts";
import type { RecordedPush } from "./recorded.ts";

const WAIT_MAX_MS = 60_000;

/**
 * A plain HTTP door for another process that wants to see what the providers received:
 * `GET /requests?provider=&token=&recordId=&waitMs=` answers `{requests: [...]}`; with `waitMs` it waits until there is one.
 * `recordId` is looked for in the pushed data.
 */
export function startControl(apns: ApnsServer, fcm: FcmServer, port = 0): Promise<Listening> {
  const server = createServer((request, response) => {
    serve(apns, fcm, request, response).catch((error: unknown) => {
      answer(response, 500, { error: String(error) });
    });
  });
  return listenOn(server, port);
}

async function serve(
  apns: ApnsServer,
  fcm: FcmServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (request.method !== "GET" || url.pathname !== "/requests")
    return answer(response, 404, { error: "GET /requests" });
  const fits = predicateOf(url.searchParams);
  const found = (): RecordedPush[] => [...apns.requests, ...fcm.requests].filter(fits);
  const waitMs = Math.min(Number(url.searchParams.get("waitMs")) || 0, WAIT_MAX_MS);
  if (found().length === 0 && waitMs > 0) await anyOf(apns, fcm, fits, waitMs);
  answer(response, 200, { requests: found() });
}

/** Waits for the first of both; the time running out is an answer too: an empty list. */
async function anyOf(
  apns: ApnsServer,
  fcm: FcmServer,
  fits: (push: RecordedPush) => boolean,
  waitMs: number,
): Promise<void> {
  const waits = [apns.untilRequest(fits, waitMs), fcm.untilRequest(fits, waitMs)];
  await Promise.any(waits).catch((error: unknown) => {
    if (!(error instanceof AggregateError)) throw error;
  });
}

function predicateOf(query: URLSearchParams): (push: RecordedPush) => boolean {
  const provider = query.get("provider");
  const token = query.get("token");
  const recordId = query.get("recordId");
  return (push) =>
    (provider === null || push.provider === provider) &&
    (token === null || push.token === token) &&
    (recordId === null || recordIdOf(push) === recordId);
}

/** Where the pusher puts the record's id: beside `aps` for Apple, in `data` for Google. */
function recordIdOf(push: RecordedPush): unknown {
  const { recordId, data }: { recordId?: unknown; data?: unknown } = push.body ?? {};
  return recordId ?? Object(data).recordId;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
