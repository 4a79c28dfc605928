import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { type FcmErrorCode, type FcmReply, fcmError, googleError, grantRefusal, messageRefusal } from "./fcm-rules.ts";
import { type KeyFolder, keptCertificate, openKeyFolder } from "./files.ts";
import { asObject, jsonObject } from "./json.ts";
import { type Listening, listenOn } from "./listening.ts";
import { PushLog, type PushPredicate, type RecordedPush } from "./recorded.ts";
import { type NetworkFault, Script } from "./script.ts";

/** A refusal by FCM; `device` says that it is this device's own quota. */
export interface FcmRefusal {
  readonly error: FcmErrorCode;
  readonly retryAfterSeconds?: number;
  readonly device?: string;
}

/** What a request can be answered with instead of 200: FCM's refusal, any reply at all, or no reply. */
export type FcmAnswer = FcmRefusal | FcmReply | NetworkFault;

/** How the server is started; every field has a default. */
export interface FcmServerOptions {
  /** Where its keys are kept and found again. Default: a temporary folder, removed by `close`. */
  readonly folder?: string;
  /** Default: any free one. */
  readonly port?: number;
  readonly projectId?: string;
}

const BODY_MAX_BYTES = 64 * 1024;
const ACCOUNT_FILE = "service-account.json";
const ACCESS_TOKEN_LIFETIME_S = 3599;
const MESSAGING_HOST = "fcm.googleapis.com";
const TOKEN_HOST = "oauth2.googleapis.com";

/** Starts Google's token endpoint and FCM on loopback; both check every request as Google does. */
export async function startFcmServer(options: FcmServerOptions = {}): Promise<FcmServer> {
  const server = new FcmServer(options);
  await server.listen(options.port ?? 0);
  return server;
}

/**
 * `POST /token` (OAuth, JWT bearer grant) and `POST /v1/projects/<id>/messages:send` (FCM HTTP v1) over TLS,
 * HTTP/1.1 or HTTP/2, told apart by the host that the client believes it speaks to, as Google's front does.
 */
export class FcmServer {
  readonly projectId: string;
  readonly clientEmail: string;
  /** The service account's JSON file, as Google hands it out. */
  readonly serviceAccountFile: string;
  /** The certificate to trust (PEM). */
  readonly caFile: string;
  readonly #folder: KeyFolder;
  readonly #publicKey: string;
  readonly #log = new PushLog();
  readonly #script = new Script<FcmAnswer>();
  readonly #tokenScript = new Script<FcmReply | NetworkFault>();
  readonly #accessTokens = new Map<string, number>();
  #listening: Listening | undefined;
  #tokensAsked = 0;

  constructor(options: FcmServerOptions) {
    this.projectId = options.projectId ?? "oceanchat-test";
    this.clientEmail = `pusher@${this.projectId}.iam.gserviceaccount.com`;
    this.#folder = openKeyFolder(options.folder);
    this.serviceAccountFile = this.#folder.pathOf(ACCOUNT_FILE);
    this.caFile = this.#folder.pathOf("tls-cert.pem");
    const account = this.#folder.kept(ACCOUNT_FILE, () => newServiceAccount(this.projectId, this.clientEmail));
    const privateKey = String(jsonObject(Buffer.from(account))?.private_key);
    this.#publicKey = createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
  }

  async listen(port: number): Promise<void> {
    const certificate = keptCertificate(this.#folder, [MESSAGING_HOST, TOKEN_HOST, "localhost", "127.0.0.1"]);
    const server = createSecureServer({ ...certificate, allowHTTP1: true });
    server.on("sessionError", ignore);
    server.on("request", (request, response) => this.#serve(request, response));
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
      OCEANCHAT_FCM_HOST: this.host,
      OCEANCHAT_FCM_CA_FILE: this.caFile,
      OCEANCHAT_FCM_SERVICE_ACCOUNT_FILE: this.serviceAccountFile,
    };
  }

  /** The messages that have arrived so far, oldest first. */
  get requests(): readonly RecordedPush[] {
    return this.#log.requests;
  }

  /** How often an access token was asked for. */
  get tokensAsked(): number {
    return this.#tokensAsked;
  }

  /** The first message that fits, already here or still to come. */
  untilRequest(predicate: PushPredicate, timeoutMs?: number): Promise<RecordedPush> {
    return this.#log.until(predicate, timeoutMs);
  }

  /** Answers the next `times` valid messages to this device token (to any if undefined) with a refusal, a reply or a fault. */
  answer(token: string | undefined, answer: FcmAnswer, times = 1): void {
    this.#script.add(token, answer, times);
  }

  /** Answers the next `times` valid requests for an access token with a reply or a fault. */
  answerTokenRequest(answer: FcmReply | NetworkFault, times = 1): void {
    this.#tokenScript.add(undefined, answer, times);
  }

  /** Forgets what `answer` and `answerTokenRequest` asked for. */
  acceptAll(): void {
    this.#script.clear();
    this.#tokenScript.clear();
  }

  /** Makes every access token given until now worthless: it gets 401. */
  revokeAccessTokens(): void {
    this.#accessTokens.clear();
  }

  async close(): Promise<void> {
    this.#log.close();
    await this.#listening?.close();
    this.#folder.remove();
  }

  #serve(request: Http2ServerRequest, response: Http2ServerResponse): void {
    request.on("error", ignore);
    response.on("error", ignore);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_MAX_BYTES) chunks.push(chunk);
    });
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (size > BODY_MAX_BYTES) send(request, response, googleError(413, "INVALID_ARGUMENT", "Request is too large."));
      else if (isAt(request, TOKEN_HOST, "/token")) send(request, response, this.#grant(body));
      else if (isAt(request, MESSAGING_HOST)) this.#receive(request, response, body);
      else send(request, response, googleError(404, "NOT_FOUND", `Nothing at ${hostOf(request)}${request.url}`));
    });
  }

  #grant(body: Buffer): FcmReply | NetworkFault {
    this.#tokensAsked += 1;
    const refusal = grantRefusal(new URLSearchParams(body.toString("utf8")), this.#publicKey, this.clientEmail);
    const answer = refusal ?? this.#tokenScript.next("");
    if (answer !== undefined) return answer;
    const token = `ya29.c.${randomBytes(48).toString("base64url")}`;
    this.#accessTokens.set(token, Date.now() + ACCESS_TOKEN_LIFETIME_S * 1000);
    return { status: 200, body: { access_token: token, expires_in: ACCESS_TOKEN_LIFETIME_S, token_type: "Bearer" } };
  }

  #receive(request: Http2ServerRequest, response: Http2ServerResponse, body: Buffer): void {
    const message = asObject(jsonObject(body)?.message);
    const token = typeof message?.token === "string" ? message.token : "";
    const answer =
      this.#frontRefusal(request) ?? messageRefusal(message) ?? this.#script.next(token) ?? this.#accepted();
    const reply = typeof answer === "object" && "error" in answer ? fcmError(answer.error, answer) : answer;
    send(request, response, reply);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) if (value !== undefined) headers[name] = String(value);
    const status = typeof reply === "string" ? 0 : reply.status;
    const reason = typeof reply === "string" ? reply : reasonOf(reply);
    this.#log.add({ provider: "fcm", token, receivedMs: Date.now(), headers, body: message, status, reason });
  }

  #frontRefusal(request: Http2ServerRequest): FcmReply | undefined {
    const project = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(request.url)?.[1];
    if (project === undefined) return googleError(404, "NOT_FOUND", "Method not found.");
    if (request.method !== "POST") return googleError(405, "INVALID_ARGUMENT", "Method not allowed.");
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if ((this.#accessTokens.get(bearer) ?? 0) < Date.now()) {
      return googleError(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
    }
    return project === this.projectId
      ? undefined
      : googleError(403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on resource.");
  }

  #accepted(): FcmReply {
    const id = `0:${Date.now()}%${randomBytes(8).toString("hex")}`;
    return { status: 200, body: { name: `projects/${this.projectId}/messages/${id}` } };
  }
}

/** A client that goes away in the middle is no fault of the server; its requests are in the record. */
function ignore(): void {}

function newServiceAccount(projectId: string, clientEmail: string): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const account = {
    type: "service_account",
    project_id: projectId,
    private_key_id: randomBytes(20).toString("hex"),
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    client_email: clientEmail,
    client_id: "100000000000000000000",
    token_uri: `https://${TOKEN_HOST}/token`,
  };
  return JSON.stringify(account, undefined, 2);
}

function hostOf(request: Http2ServerRequest): string {
  return String(request.headers.host ?? request.headers[":authority"] ?? "");
}

function isAt(request: Http2ServerRequest, host: string, path?: string): boolean {
  const name = hostOf(request).split(":")[0];
  return name === host && (path === undefined || request.url === path);
}

function reasonOf(reply: FcmReply): string | undefined {
  if (reply.status === 200) return undefined;
  const error = typeof reply.body === "string" ? undefined : asObject(reply.body.error);
  const details = Array.isArray(error?.details) ? error.details : [];
  for (const detail of details) {
    const code = asObject(detail)?.errorCode;
    if (typeof code === "string") return code;
  }
  return typeof error?.status === "string" ? error.status : String(reply.status);
}

function send(request: Http2ServerRequest, response: Http2ServerResponse, reply: FcmReply | NetworkFault): void {
  if (reply === "hang") return;
  if (reply === "reset") {
    request.socket.destroy();
    return;
  }
  const isText = typeof reply.body === "string";
  const type = isText ? "text/html; charset=UTF-8" : "application/json; charset=UTF-8";
  response.writeHead(reply.status, { "content-type": type, ...reply.headers });
  response.end(isText ? reply.body : JSON.stringify(reply.body));
}
