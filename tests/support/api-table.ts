import assert from "node:assert/strict";
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  fromJson,
  getOption,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code } from "@connectrpc/connect";
import { http } from "@oceanchat/gen/google/api/annotations_pb";
import { BadRequestSchema, ErrorInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import { ClientPacketSchema, type ServerPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { MessageService } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { type RestAnswer, rest } from "./rest.ts";
import type { TestSocket } from "./socket.ts";
import type { TestUser } from "./user.ts";

/** A request in protobuf JSON; for bad input it may be anything. */
export type Request = JsonObject;

/** Every public method that conversations have, and presence. */
export const methods: readonly DescMethod[] = [
  ...MessageService.methods,
  ...QueryService.methods,
  ...PresenceService.methods,
];

/** The method of a name. */
export function methodOf(name: string): DescMethod {
  const method = methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`there is no method ${name}`);
  return method;
}

/** The socket's commands that are requests of these methods, by the method's name. A reaction is removed by `react`. */
export const commandNames: ReadonlyMap<string, string> = new Map([
  ["RemoveReaction", "react"],
  ...ClientPacketSchema.fields.flatMap((field) => {
    const method = methods.find(({ input }) => field.fieldKind === "message" && field.message === input);
    return method === undefined ? [] : [[method.name, field.localName] as const];
  }),
]);

/** What the socket's commands are that belong to the services of these methods. */
export const commandsOfConversations: readonly string[] = ClientPacketSchema.fields
  .filter(({ message }) => /^oceanchat\.(message|query|presence)\./.test(message?.typeName ?? ""))
  .map(({ localName }) => localName);

/** A refusal, the same whatever door it came through. */
export interface Refusal {
  /** The code's word, `invalid_argument`. */
  readonly code: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  /** The paths of the fields that are wrong. */
  readonly fields: readonly string[];
}

/** Calls a method by REST, at the route that its contract names. */
export function callRest(user: TestUser, method: DescMethod, request: Request, token?: string): Promise<RestAnswer> {
  const { pattern } = getOption(method, http);
  assert.ok(typeof pattern.value === "string" && pattern.case !== undefined, `${method.name} has no route`);
  const left = new Map(Object.entries(request));
  const path = pattern.value.replaceAll(/\{(\w+)\}/g, (_, field: string) => {
    const name = field.replaceAll(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
    const value = String(left.get(name) ?? "");
    left.delete(name);
    return encodeURIComponent(value);
  });
  const bearer = token === undefined ? { token: user.token } : token === "" ? {} : { token };
  const verb = pattern.case.toUpperCase();
  if (verb !== "GET" && verb !== "DELETE") {
    return patiently(() => rest(user.at.edge, verb, path, { ...bearer, body: Object.fromEntries(left) }));
  }
  const query = new URLSearchParams(
    [...left].flatMap(([name, value]) => [value].flat().map((each): [string, string] => [name, String(each)])),
  ).toString();
  return patiently(() => rest(user.at.edge, verb, query === "" ? path : `${path}?${query}`, bearer));
}

/** Calls a method by Connect, with JSON. */
export function callConnect(user: TestUser, method: DescMethod, request: Request, token?: string): Promise<RestAnswer> {
  const bearer = token === undefined ? { token: user.token } : token === "" ? {} : { token };
  const path = `/${method.parent.typeName}/${method.name}`;
  return patiently(() => rest(user.at.edge, "POST", path, { ...bearer, body: request }));
}

/** Again when the edge finds that one user calls too often. */
async function patiently(call: () => Promise<RestAnswer>): Promise<RestAnswer> {
  for (let tries = 1; ; tries++) {
    const answer = await call();
    if (answer.status !== 429 || !answer.headers.has("retry-after") || tries === 5) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("retry-after"))));
  }
}

/** The body of an answer, which must be a message of the method's, with every field that has a value. */
export function answerOf(method: DescMethod, { status, body }: RestAnswer): Request {
  assert.equal(status, 200, JSON.stringify(body));
  return jsonOf(method.output, fromJson(method.output, body as JsonObject));
}

/** Sends a command as a client of the socket's codec writes it; JSON as it is, right or wrong. */
export function sendCommand(on: CodecSocket, method: DescMethod, request: Request, requestId: number): void {
  const fields = method.name === "RemoveReaction" ? { ...request, removed: true } : request;
  const packet = { requestId, [commandNames.get(method.name) ?? ""]: fields };
  if (on.json) on.socket.raw.send(JSON.stringify(packet));
  else on.socket.raw.send(toBinary(ClientPacketSchema, fromJson(ClientPacketSchema, packet)));
}

/** A socket and its codec. */
export interface CodecSocket {
  readonly socket: TestSocket;
  readonly json: boolean;
}

/** The answer to a command. */
export function answerTo({ socket }: CodecSocket, requestId: number): Promise<ServerPacket> {
  return socket.until((packet) => packet.requestId === requestId);
}

/** What a REST or Connect answer refuses; it must be a refusal with the status that belongs to its code. */
export function refusalOf({ status, body }: RestAnswer): Refusal {
  const { code, details = [] } = body as { code: unknown; details?: readonly Record<string, unknown>[] };
  const word = typeof code === "number" ? wordOf(code) : String(code);
  assert.equal(status, STATUS.get(word), JSON.stringify(body));
  const detail = (type: string) => details.find((each) => String(each["@type"] ?? each.type).endsWith(type));
  const info = decoded(ErrorInfoSchema, detail("google.rpc.ErrorInfo")) as { reason?: string; domain?: string };
  const bad = decoded(BadRequestSchema, detail("google.rpc.BadRequest")) as {
    fieldViolations?: readonly { readonly field: string }[];
  };
  const fields = (bad.fieldViolations ?? []).map(({ field }) => field);
  return { code: word, reason: info.reason, domain: info.domain, fields };
}

/** What an error packet refuses. */
export function refusalOfPacket({ event }: ServerPacket): Refusal {
  assert.ok(event.case === "error", `expected an error, got ${event.case}`);
  const { code, reason, domain, metadata } = event.value;
  const fields = Object.keys(metadata).filter((key) => key.startsWith("field."));
  return { code: wordOf(code), reason, domain, fields: fields.map((key) => key.slice("field.".length)) };
}

const STATUS: ReadonlyMap<string, number> = new Map([
  ["invalid_argument", 400],
  ["unauthenticated", 401],
  ["permission_denied", 403],
  ["not_found", 404],
  ["already_exists", 409],
  ["resource_exhausted", 429],
]);

/** A code in words, as Connect writes it. */
const wordOf = (code: number) => (Code[code] ?? "").replaceAll(/(?<!^)[A-Z]/g, "_$&").toLowerCase();

/** A detail: JSON in REST, base64 of its bytes in Connect. */
function decoded(schema: DescMessage, detail: Record<string, unknown> | undefined): unknown {
  if (typeof detail?.value !== "string") return detail ?? {};
  return fromBinary(schema, base64Decode(detail.value));
}

/** A message in JSON, with the fields that are empty. */
export const jsonOf = (schema: DescMessage, message: Parameters<typeof toJson>[1]): Request =>
  toJson(schema, message, { alwaysEmitImplicit: true }) as Request;
