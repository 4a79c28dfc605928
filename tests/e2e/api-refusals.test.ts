import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { requests, type Subject } from "../support/api-requests.ts";
import {
  answerTo,
  type CodecSocket,
  callConnect,
  callRest,
  commandNames,
  methodOf,
  methods,
  type Refusal,
  type Request,
  refusalOf,
  refusalOfPacket,
  sendCommand,
} from "../support/api-table.ts";
import { installation } from "../support/shared-installation.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

/** Input that is refused: what is different from a good request, and the answer. */
interface Row {
  readonly name: string;
  readonly bad: Request | (() => Request);
  /** `domain REASON`: `message NOT_A_MEMBER`; without a domain a reason that any service may give. */
  readonly reason: string;
  readonly code?: string;
  readonly field?: string;
  /** Of another conversation than the caller's. */
  readonly stranger?: boolean;
  /** Without it there is no such path in REST. */
  readonly inPath?: boolean;
  /** JSON of the wrong type, which the binary codec can't say. */
  readonly wrongType?: boolean;
}

const invalid = (name: string, field: string, bad: Row["bad"]): Row => ({ name, bad, reason: "INVALID_FIELD", field });
const wrongType = (name: string, bad: Request): Row => ({ name, bad, reason: "MALFORMED", wrongType: true });
const text = (value: string) => ({ content: { text: { text: value } } });

const NO_CONVERSATION = invalid("an id that is none", "conversation_id", { conversationId: "u_x" });
const OPERATOR = wrongType("an operator for an id", { conversationId: { $ne: "" } });
const STRANGER: Row = {
  name: "somebody else's conversation",
  bad: {},
  stranger: true,
  code: "permission_denied",
  reason: "message NOT_A_MEMBER",
};
const NOWHERE: Row = {
  ...STRANGER,
  name: "a conversation that doesn't exist",
  stranger: false,
  bad: () => ({ conversationId: `g_${randomUUID()}` }),
};
const writing = [NO_CONVERSATION, STRANGER, NOWHERE];
const reading = [NO_CONVERSATION, STRANGER, NOWHERE].map((row) =>
  row.field === undefined ? { ...row, code: "not_found", reason: "query CONVERSATION_NOT_FOUND" } : row,
);
const NO_RECORD = invalid("a record id that is none", "record_id", { recordId: "7" });
const NO_MESSAGE: Row = {
  name: "a message that doesn't exist",
  bad: () => ({ recordId: randomUUID() }),
  code: "not_found",
  reason: "message MESSAGE_NOT_FOUND",
};
const CONTENT = [
  invalid("no content", "content.kind", { content: {} }),
  { name: "white space", bad: text(" \n"), reason: "message EMPTY_TEXT" },
  invalid("a text over the limit", "content.text.text", text("x".repeat(8193))),
  wrongType("a text for a content", { content: "ahoy" }),
];
const KEY = [
  invalid("no idempotency key", "client_message_id", { clientMessageId: "" }),
  invalid("a key that is no UUID", "client_message_id", { clientMessageId: "1" }),
  invalid("more tries than there may be", "attempt", { attempt: 1_000_001 }),
];
const SEQ = [invalid("no seq", "seq", { seq: "0" }), wrongType("a word for a seq", { seq: "seven" })];
const EMOJI = [
  { ...invalid("no emoji", "emoji", { emoji: "" }), inPath: true },
  invalid("an emoji over the limit", "emoji", { emoji: "x".repeat(33) }),
];
const pages = (name: string) => [
  invalid("a negative size", name, { [name.replace("_s", "S")]: -1 }),
  wrongType("a word for a size", { [name.replace("_s", "S")]: "many" }),
];
const TOKEN = [
  { name: "a token of nobody's", bad: { pageToken: "nonsense" }, reason: "query INVALID_PAGE_TOKEN" },
  invalid("a token over the limit", "page_token", { pageToken: "x".repeat(513) }),
];

const users = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

const rows: Readonly<Record<string, readonly Row[]>> = {
  SendMessage: [...writing, ...CONTENT, ...KEY, OPERATOR],
  EditMessage: [...writing, NO_RECORD, NO_MESSAGE, ...CONTENT, ...KEY],
  RecallMessage: [...writing, NO_RECORD, NO_MESSAGE],
  React: [...writing, NO_RECORD, NO_MESSAGE, ...EMOJI],
  RemoveReaction: [...writing, NO_RECORD, NO_MESSAGE, ...EMOJI],
  MarkRead: [...writing, ...SEQ],
  Confirm: [...writing, ...SEQ],
  UpdateConversationSettings: [
    ...writing,
    wrongType("a word for a time", { mutedUntil: "tomorrow" }),
    wrongType("a word for yes or no", { pinned: "perhaps" }),
  ],
  SetTyping: [...writing, wrongType("a word for yes or no", { active: "perhaps" })],
  ListRecords: [
    ...reading,
    ...pages("limit"),
    { name: "both directions", bad: { afterSeq: "1", beforeSeq: "9" }, reason: "query BOTH_DIRECTIONS" },
    wrongType("a negative seq", { afterSeq: "-1" }),
  ],
  ListConversations: [...pages("page_size"), ...TOKEN],
  GetConversation: reading,
  BatchGetPresence: [
    invalid("nobody", "user_ids", { userIds: [] }),
    invalid("too many users", "user_ids", { userIds: users(201) }),
    invalid("an id that is none", "user_ids[0]", { userIds: ["bob"] }),
  ],
  SetStatus: [
    invalid("no status", "status", { status: "STATUS_UNSPECIFIED" }),
    invalid("the status of those who are gone", "status", { status: "STATUS_OFFLINE" }),
    invalid("words over the limit", "status_text", { statusText: "x".repeat(141) }),
    invalid("an end in the past", "expire_time", { expireTime: "2020-01-01T00:00:00Z" }),
    wrongType("a word for a time", { expireTime: "tomorrow" }),
  ],
  SubscribePresence: [
    invalid("too many users", "user_ids", { userIds: users(501) }),
    invalid("an id that is none", "user_ids[0]", { userIds: ["bob"] }),
    wrongType("a number for a list", { userIds: 7 }),
  ],
  Sync: [
    ...pages("page_size"),
    { name: "a cursor of nobody's", bad: { cursor: "nonsense" }, reason: "query INVALID_PAGE_TOKEN" },
    invalid("a cursor over the limit", "cursor", { cursor: "x".repeat(4097) }),
  ],
  GetReadReceipts: [
    ...reading,
    ...SEQ,
    { name: "a record that doesn't exist", bad: { seq: "999" }, code: "not_found", reason: "query RECORD_NOT_FOUND" },
  ],
  Search: [
    ...reading.filter(({ field }) => field === undefined),
    ...pages("page_size"),
    ...TOKEN,
    invalid("no query", "query", { query: "" }),
    { name: "a query without a letter", bad: { query: "?!" }, reason: "query NOTHING_TO_SEARCH" },
    invalid("a query over the limit", "query", { query: "x".repeat(129) }),
    wrongType("a word for a time", { fromTime: "yesterday" }),
  ],
};

describe("bad input of the methods of conversations", function () {
  this.timeout(60_000);
  let alice: TestUser;
  let mallory: TestUser;
  let about: Subject;
  let sockets: Record<"alice" | "mallory", readonly CodecSocket[]>;
  let requestId = 5000;

  before(async () => {
    const { at } = installation();
    [alice, mallory] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "mallory")]);
    const { conversationId } = await alice.createGroup([]);
    const connect = async (user: TestUser): Promise<readonly CodecSocket[]> => {
      const again = await user.login();
      return [
        { socket: await user.connect({ json: true }), json: true },
        { socket: await again.connect(), json: false },
      ];
    };
    sockets = { alice: await connect(alice), mallory: await connect(mallory) };
    const [{ socket } = { socket: undefined }] = sockets.alice;
    const said = await socket?.ask(textTo(conversationId, "ahoy"), "messageAccepted");
    about = {
      conversationId,
      userId: alice.userId,
      recordId: said?.recordId ?? "",
      seq: String(said?.seq),
      word: "ahoy",
    };
  });

  after(async () => {
    for (const { socket } of [...sockets.alice, ...sockets.mallory]) await socket.close();
  });

  it("has rows for each method", () => {
    assert.deepEqual(Object.keys(rows).sort(), methods.map(({ name }) => name).sort());
  });

  const expectedOf = ({ reason, code = "invalid_argument", field }: Row): Refusal => {
    const [service, name] = reason.includes(" ") ? reason.split(" ") : ["", reason];
    return {
      code,
      reason: `ERROR_REASON_${name}`,
      domain: service === "" ? "oceanchat" : `${service}.oceanchat`,
      fields: field === undefined ? [] : [field],
    };
  };

  for (const [name, bads] of Object.entries(rows)) {
    describe(name, () => {
      const method = methodOf(name);
      for (const row of bads) {
        const expected = expectedOf(row);
        it(`refuses ${row.name} with ${row.reason}, through every door`, async () => {
          const user = row.stranger ? mallory : alice;
          const request = { ...requests[name]?.(about), ...(typeof row.bad === "function" ? row.bad() : row.bad) };
          const got: Record<string, Refusal> = {};
          // Streams are refused in other ways, which another test looks at.
          const unary = method.methodKind === "unary";
          const byRest = unary ? refusalOf(await callRest(user, method, request)) : expected;
          const byConnect = unary ? refusalOf(await callConnect(user, method, request)) : expected;
          got.connect = byConnect;
          if (row.inPath) assert.deepEqual([byRest.code, byRest.reason], ["not_found", "ERROR_REASON_UNIMPLEMENTED"]);
          else got.rest = byRest;
          if (row.wrongType && unary) {
            // Connect itself refuses what isn't the method's JSON; it knows no reasons.
            assert.deepEqual(byConnect, { code: expected.code, reason: undefined, domain: undefined, fields: [] });
            delete got.connect;
          }
          for (const on of commandNames.has(name) ? sockets[row.stranger ? "mallory" : "alice"] : []) {
            if (row.wrongType && !on.json) continue;
            sendCommand(on, method, request, ++requestId);
            got[on.json ? "json" : "binary"] = refusalOfPacket(await answerTo(on, requestId));
          }
          assert.deepEqual(got, Object.fromEntries(Object.keys(got).map((door) => [door, expected])));
        });
      }

      it("refuses an unknown field where a door is strict, and ignores it elsewhere", async () => {
        const request = { ...requests[name]?.(about), nonsense: "1" };
        const [json] = commandNames.has(name) ? sockets.alice : [];
        if (json !== undefined) {
          sendCommand(json, method, request, ++requestId);
          assert.equal(refusalOfPacket(await answerTo(json, requestId)).reason, "ERROR_REASON_MALFORMED");
        }
        const reads = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
        if (reads || name === "RemoveReaction") {
          assert.equal(refusalOf(await callRest(alice, method, request)).reason, "ERROR_REASON_MALFORMED");
        }
        const storesNothing = ["MarkRead", "Confirm", "SetTyping"].includes(name);
        if (storesNothing) assert.equal((await callRest(alice, method, request)).status, 200);
        if (method.methodKind !== "unary") return;
        if (reads || storesNothing) assert.equal((await callConnect(alice, method, request)).status, 200);
      });

      it("refuses a call without a token, and one with a bad token", async () => {
        for (const token of ["", `${alice.token}x`]) {
          const answer = await callRest(alice, method, requests[name]?.(about) ?? {}, token);
          // The edge has no status but 200 for a stream; its body says what is wrong.
          const byRest = refusalOf(method.methodKind === "unary" ? answer : { ...answer, status: 401 });
          assert.deepEqual([byRest.code, byRest.reason], ["unauthenticated", "ERROR_REASON_TOKEN_INVALID"]);
          if (method.methodKind !== "unary") continue;
          // The edge refuses, which has no details for Connect.
          const byConnect = refusalOf(await callConnect(alice, method, requests[name]?.(about) ?? {}, token));
          assert.equal(byConnect.code, "unauthenticated");
        }
      });
    });
  }

  it("stores nothing of all that, and leaves the sockets open", async () => {
    for (const { socket } of sockets.alice) {
      await socket.ask({ case: "markRead", value: { conversationId: about.conversationId, seq: 1n } }, "done");
    }
    for (const { socket } of sockets.mallory) {
      const direct = directId(alice.userId, mallory.userId);
      await socket.ask(textTo(direct, "let me in"), "messageAccepted");
    }
    assert.deepEqual(
      (await alice.records(about.conversationId)).map(({ seq }) => seq),
      ["1", "2"],
    );
  });
});
