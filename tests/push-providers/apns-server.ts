import { createPublicKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import {
  APNS_REASONS,
  type ApnsReason,
  type ApnsRequest,
  type ApnsWorld,
  bearerOf,
  deviceTokenOf,
  refusalOf,
} from "./apns-rules.ts";
import { type KeyFolder, keptCertificate, openKeyFolder } from "./files.ts";
import { jsonObject } from "./json.ts";
import { type Listening, listenOn } from "./listening.ts";
import { PushLog, type PushPredicate, type RecordedPush } from "./recorded.ts";
import { type NetworkFault, Script } from "./script.ts";

/** A refusal as Apple sends it; `timestampMs` belongs to the reasons of status 410. */
export interface ApnsRefusal {
  readonly reason: ApnsReason;
  readonly timestampMs?: number;
  readonly retryAfterSeconds?: number;
}

/** What a request can be answered with instead of 200. */
export type ApnsAnswer = ApnsRefusal | NetworkFault;

/** How the server is started; every field has a default. */
export interface ApnsServerOptions {
  /** Where its keys are kept and found again. Default: a temporary folder, removed by `close`. */
  readonly folder?: string;
  /** Default: any free one. */
  readonly port?: number;
  readonly topic?: string;
  readonly keyId?: string;
  readonly teamId?: string;
}

const BODY_MAX_BYTES = 64 * 1024;
const KEY_FILE = "auth-key.p8";

/** Starts Apple's push service on loopback; it checks every request as Apple does. */
export async function startApnsServer(options: ApnsServerOptions = {}): Promise<ApnsServer> {
  const server = new ApnsServer(options);
  await server.listen(options.port ?? 0);
  return server;
}

/** Apple's provider API (`POST /3/device/<token>` over HTTP/2 and TLS) with a record of every request. */
export class ApnsServer {
  readonly topic: string;
  readonly keyId: string;
  readonly teamId: string;
  /** The private key that provider tokens are signed with, as Apple hands it out (PKCS 8). */
  readonly keyFile: string;
  /** The certificate to trust (PEM). */
  readonly caFile: string;
  readonly #folder: KeyFolder;
  readonly #publicKey: string;
  readonly #log = new PushLog();
  readonly #script = new Script<ApnsAnswer>();
  readonly #acceptedTokens = new Set<string>();
  readonly #staleTokens = new Set<string>();
  #listening: Listening | undefined;

  constructor(options: ApnsServerOptions) {
    this.topic = options.topic ?? "app.oceanchat";
    this.keyId = options.keyId ?? "ABC123DEFG";
    this.teamId = options.teamId ?? "DEF123GHIJ";
    this.#folder = openKeyFolder(options.folder);
    this.keyFile = this.#folder.pathOf(KEY_FILE);
    this.caFile = this.#folder.pathOf("tls-cert.pem");
    const signingKey = this.#folder.kept(KEY_FILE, newSigningKey);
    this.#publicKey = createPublicKey(signingKey).export({ type: "spki", format: "pem" }).toString();
  }

  async listen(port: number): Promise<void> {
    const certificate = keptCertificate(this.#folder, ["localhost", "127.0.0.1"]);
    const server = createSecureServer({ ...certificate, allowHTTP1: false });
    server.on("sessionError", ignore);
    server.on("stream", (stream, headers) => this.#serve(stream, headers));
    this.#listening = await listenOn(server, port);
  }

  /** 0 until it listens. */
  get port(): number {
    return this.#listening?.port ?? 0;
  }

  /** `localhost:<port>`: what a client is pointed at. */
  get host(): string {
    return `localhost:${this.port}`;
  }

  /** The environment that points the offline pusher here. */
  get environment(): Readonly<Record<string, string>> {
    return {
      OCEANCHAT_APNS_HOST: this.host,
      OCEANCHAT_APNS_CA_FILE: this.caFile,
      OCEANCHAT_APNS_KEY_FILE: this.keyFile,
      OCEANCHAT_APNS_KEY_ID: this.keyId,
      OCEANCHAT_APNS_TEAM_ID: this.teamId,
      OCEANCHAT_APNS_TOPIC: this.topic,
    };
  }

  /** What has arrived so far, oldest first. */
  get requests(): readonly RecordedPush[] {
    return this.#log.requests;
  }

  /** The first request that fits, already here or still to come. */
  untilRequest(predicate: PushPredicate, timeoutMs?: number): Promise<RecordedPush> {
    return this.#log.until(predicate, timeoutMs);
  }

  /** Answers the next `times` valid requests to this device token (to any if undefined) with a refusal or a fault. */
  answer(token: string | undefined, answer: ApnsAnswer, times = 1): void {
    this.#script.add(token, answer, times);
  }

  /** Forgets what `answer` asked for. */
  acceptAll(): void {
    this.#script.clear();
  }

  /** Makes every provider token accepted until now stale: from now on it gets ExpiredProviderToken. */
  expireProviderTokens(): void {
    for (const token of this.#acceptedTokens) this.#staleTokens.add(token);
    this.#acceptedTokens.clear();
  }

  async close(): Promise<void> {
    this.#log.close();
    await this.#listening?.close();
    this.#folder.remove();
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", ignore);
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_MAX_BYTES) chunks.push(chunk);
    });
    stream.on("end", () => {
      const request = toRequest(headers, Buffer.concat(chunks));
      this.#answer(stream, request, size > BODY_MAX_BYTES ? "PayloadTooLarge" : refusalOf(request, this.#world()));
    });
  }

  #answer(stream: ServerHttp2Stream, request: ApnsRequest, refusal: ApnsReason | undefined): void {
    const token = deviceTokenOf(request.path);
    if (refusal === undefined) this.#acceptedTokens.add(bearerOf(request));
    const answer = refusal === undefined ? this.#script.next(token) : { reason: refusal };
    const fault = typeof answer === "string" ? answer : undefined;
    const reason = typeof answer === "object" ? answer.reason : undefined;
    const status = fault !== undefined ? 0 : reason === undefined ? 200 : APNS_REASONS[reason];
    if (fault === "reset") stream.session?.destroy();
    if (typeof answer === "object") refuse(stream, request, answer);
    if (answer === undefined) stream.respond({ ":status": 200, ...identify(request) }, { endStream: true });
    const { headers } = request;
    const body = jsonObject(request.body);
    this.#log.add({ provider: "apns", token, receivedMs: Date.now(), headers, body, status, reason: reason ?? fault });
  }

  #world(): ApnsWorld {
    return {
      publicKey: this.#publicKey,
      keyId: this.keyId,
      teamId: this.teamId,
      topic: this.topic,
      staleTokens: this.#staleTokens,
      nowMs: Date.now(),
    };
  }
}

/** A client that goes away in the middle is no fault of the server; its requests are in the record. */
function ignore(): void {}

function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function toRequest(headers: IncomingHttpHeaders, body: Buffer): ApnsRequest {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(":")) plain[name] = String(value);
  }
  return { method: String(headers[":method"]), path: String(headers[":path"]), headers: plain, body };
}

function identify(request: ApnsRequest): Record<string, string> {
  return { "apns-id": request.headers["apns-id"] ?? randomUUID().toUpperCase(), "apns-unique-id": randomUUID() };
}

function refuse(stream: ServerHttp2Stream, request: ApnsRequest, refusal: ApnsRefusal): void {
  const { reason, timestampMs, retryAfterSeconds } = refusal;
  const status = APNS_REASONS[reason];
  const retryAfter = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  stream.respond({ ":status": status, "content-type": "application/json", ...identify(request), ...retryAfter });
  stream.end(JSON.stringify({ reason, ...(timestampMs === undefined ? {} : { timestamp: timestampMs }) }));
}
