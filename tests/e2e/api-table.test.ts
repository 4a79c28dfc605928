import assert from "node:assert/strict";
import type { DescMethod } from "@bufbuild/protobuf";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { requests, type Subject } from "../support/api-requests.ts";
import {
  answerOf,
  answerTo,
  type CodecSocket,
  callConnect,
  callRest,
  commandNames,
  commandsOfConversations,
  jsonOf,
  methodOf,
  methods,
  type Request,
  sendCommand,
} from "../support/api-table.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { TestUser, textTo } from "../support/user.ts";

/** One way to call methods. The answer is the method's, on a socket that of the event, empty where there is none. */
interface Door {
  readonly name: string;
  readonly has: (method: string) => boolean;
  readonly call: (method: DescMethod, request: Request) => Promise<Answer>;
}

/** What answers hold, as far as it is looked at. */
interface Answer {
  readonly record?: Request & { readonly recordId: string; readonly seq: string };
  readonly recordId?: string;
  readonly seq?: string;
  readonly duplicate?: boolean;
  readonly records?: readonly { readonly recordId: string; readonly seq: string }[];
  readonly conversation?: JsonConversation;
  readonly conversations?: readonly JsonConversation[];
  readonly [field: string]: unknown;
}
interface JsonConversation {
  readonly conversationId: string;
  readonly headSeq: string;
  readonly lastRecord: { readonly recordId: string };
}

/** What is expected of a method, through whatever door. */
interface Row {
  /** What has to be so before. */
  readonly given?: (about: Subject) => Promise<unknown>;
  readonly expect: (answer: Answer, about: Subject, request: Request) => Promise<void> | void;
  /** A repeat is answered with the same record and `duplicate`. */
  readonly repeats?: boolean;
  /** The answer may be some moments behind: asked again until there is one. */
  readonly lags?: boolean;
}

const AT_SEA = { status: "STATUS_AWAY", statusText: "at sea" };
/** Commands that aren't answered. */
const SILENT: readonly string[] = ["SetTyping", "Confirm"];
const placeOf = ({ record, recordId, seq }: Answer) => ({
  recordId: record?.recordId ?? recordId,
  seq: record?.seq ?? seq,
});

describe("the methods of conversations, through every door", function () {
  this.timeout(60_000);
  let alice: TestUser;
  let bob: TestUser;
  let sockets: Record<"phone" | "web" | "tablet" | "bobs", TestSocket>;
  let conversationId: string;
  let words = 0;
  let requestId = 1000;

  before(async () => {
    const { at } = installation();
    [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    const [web, tablet] = await Promise.all([alice.login(), alice.login()]);
    sockets = {
      phone: await alice.connect(),
      web: await web.connect({ json: true }),
      tablet: await tablet.connect(),
      bobs: await bob.connect(),
    };
  });

  after(() => Promise.all(Object.values(sockets).map((socket) => socket.close())));

  /** Something that Alice has said. */
  async function said(): Promise<Subject> {
    const word = `word${++words}`;
    const { recordId, seq } = await sockets.phone.ask(textTo(conversationId, word), "messageAccepted");
    return { conversationId, userId: alice.userId, recordId, seq: String(seq), word };
  }

  /** A new connection gets nothing until presence knows of it. */
  async function untilReached(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { recordId } = await said();
      const all = [sockets.bobs, sockets.tablet].map((each) =>
        each.untilRecord((record) => record.recordId === recordId, 3000),
      );
      if ((await Promise.allSettled(all)).every(({ status }) => status === "fulfilled")) return;
      assert.ok(tries < 8, "nothing comes");
    }
  }

  /** The others get the record of the answer, with this body. */
  async function recorded(answer: Answer, body: object, socket = sockets.bobs): Promise<void> {
    const { recordId, seq } = placeOf(answer);
    const seen = jsonOf(RecordSchema, await socket.untilRecord((each) => each.recordId === recordId));
    assert.equal(seen.seq, seq);
    assert.deepEqual({ ...seen, ...body }, seen);
    if (answer.record !== undefined) assert.deepEqual(answer.record, seen);
  }

  /** Bob gets this signal of Alice. */
  const signalled = (kind: string, expected: object) =>
    sockets.bobs.until((packet) => {
      const { signal } = jsonOf(ServerPacketSchema, packet) as { signal?: Record<string, object> };
      const got = signal?.[kind];
      return got !== undefined && JSON.stringify({ ...got, userId: alice.userId, ...expected }) === JSON.stringify(got);
    });

  const own = (answer: Answer) => answer.conversations?.find((each) => each.conversationId === conversationId);
  const isHead = (conversation: JsonConversation | undefined, { recordId, seq }: Subject) =>
    assert.deepEqual([conversation?.headSeq, conversation?.lastRecord.recordId], [seq, recordId]);

  const setStatus = (what: "AT_SEA" | "ONLINE") =>
    alice.ok("PUT", "/presence/status", what === "ONLINE" ? { status: "STATUS_ONLINE" } : AT_SEA);
  const isAtSea = (presences: unknown) => {
    const [presence] = presences as readonly object[];
    assert.deepEqual({ ...presence, userId: alice.userId, ...AT_SEA }, presence);
  };

  const rows: Readonly<Record<string, Row>> = {
    SendMessage: {
      repeats: true,
      expect: (answer, { seq }, { content, clientMessageId }) => {
        assert.equal(placeOf(answer).seq, String(BigInt(seq) + 1n));
        return untilMessage(answer, clientMessageId, content);
      },
    },
    EditMessage: {
      repeats: true,
      expect: (answer, { seq: targetSeq }) =>
        recorded(answer, { edit: { targetSeq, content: { text: { text: "ahoi", entities: [] } }, flags: [] } }),
    },
    RecallMessage: {
      repeats: true,
      expect: (answer, { seq: targetSeq }) => recorded(answer, { recall: { targetSeq } }),
    },
    React: {
      repeats: true,
      expect: (answer, { seq: targetSeq }) =>
        recorded(answer, { reaction: { targetSeq, emoji: "🐋", removed: false } }),
    },
    RemoveReaction: {
      repeats: true,
      given: ({ recordId }) =>
        sockets.phone.ask({ case: "react", value: { conversationId, recordId, emoji: "🐋" } }, "messageAccepted"),
      expect: (answer, { seq: targetSeq }) => recorded(answer, { reaction: { targetSeq, emoji: "🐋", removed: true } }),
    },
    MarkRead: {
      expect: async (_, { seq }) => void (await signalled("receipt", { conversationId, readSeq: seq })),
    },
    Confirm: {
      expect: async (_, { seq }) => void (await signalled("receipt", { conversationId, deliveredSeq: seq })),
    },
    UpdateConversationSettings: {
      expect: (answer, _, settings) =>
        recorded(answer, { conversationId: `u_${alice.userId}`, conversationSettings: settings }, sockets.tablet),
    },
    SetTyping: {
      expect: async () => void (await signalled("typing", { conversationId, active: true })),
    },
    ListRecords: {
      expect: ({ records, headSeq, hasMore, firstSeq, lastSeq }, { recordId, seq }) => {
        assert.deepEqual(
          records?.map((record) => [record.recordId, record.seq]),
          [[recordId, seq]],
        );
        assert.deepEqual([headSeq, hasMore, firstSeq, lastSeq], [seq, false, seq, seq]);
      },
    },
    ListConversations: { expect: (answer, about) => isHead(own(answer), about) },
    GetConversation: { expect: ({ conversation }, about) => isHead(conversation, about) },
    Sync: {
      expect: (answer, about) => {
        isHead(own(answer), about);
        assert.deepEqual([answer.startAfresh, answer.hasMore, typeof answer.cursor], [true, false, "string"]);
      },
    },
    GetReadReceipts: {
      expect: (answer) =>
        assert.deepEqual(answer, {
          readCount: 0,
          memberCount: 1,
          receipts: [{ userId: bob.userId, readSeq: "0", deliveredSeq: "0" }],
        }),
    },
    BatchGetPresence: {
      given: () => setStatus("AT_SEA"),
      expect: ({ presences }) => isAtSea(presences),
    },
    SubscribePresence: {
      given: () => setStatus("AT_SEA"),
      expect: ({ presences }) => isAtSea(presences),
    },
    SetStatus: {
      given: () => setStatus("ONLINE"),
      expect: async () => {
        const { presences } = await alice.ok<Answer>("GET", `/presence?userIds=${alice.userId}`);
        isAtSea(presences);
      },
    },
    Search: {
      lags: true,
      expect: ({ records, nextPageToken }, { recordId }) =>
        assert.deepEqual([records?.map((record) => record.recordId), nextPageToken], [[recordId], ""]),
    },
  };

  async function untilMessage(answer: Answer, clientMessageId: unknown, content: unknown): Promise<void> {
    const text = (content as { text: object }).text;
    const message = { clientMessageId, content: { text: { ...text, entities: [] } } };
    const rest = { mentions: [], mentionsAll: false, replyToSeq: "0", flags: [] };
    await recorded(answer, { senderUserId: alice.userId, conversationId, message: { ...message, ...rest } });
  }

  const socketDoor = (name: string, on: () => CodecSocket): Door => ({
    name,
    has: (method) => commandNames.has(method),
    async call(method, request) {
      sendCommand(on(), method, request, ++requestId);
      if (SILENT.includes(method.name)) return {};
      const packet = await answerTo(on(), requestId);
      const kind = packet.event.case;
      const json = jsonOf(ServerPacketSchema, packet);
      assert.ok(
        kind === "messageAccepted" || kind === "syncPage" || kind === "presence" || kind === "done",
        JSON.stringify(json),
      );
      return json[kind] as Answer;
    },
  });

  /** Streams are another test's. */
  const isUnary = (method: string) => methodOf(method).methodKind === "unary";
  const doors: readonly Door[] = [
    { name: "REST", has: isUnary, call: async (m, r) => answerOf(m, await callRest(alice, m, r)) as Answer },
    { name: "Connect", has: isUnary, call: async (m, r) => answerOf(m, await callConnect(alice, m, r)) as Answer },
    socketDoor("the socket, in JSON", () => ({ socket: sockets.web, json: true })),
    socketDoor("the socket, in binary", () => ({ socket: sockets.phone, json: false })),
  ];

  it("has a row for each method and each command", () => {
    assert.deepEqual(Object.keys(rows).sort(), methods.map(({ name }) => name).sort());
    assert.deepEqual(Object.keys(requests).sort(), Object.keys(rows).sort());
    assert.deepEqual([...new Set(commandNames.values())].sort(), [...commandsOfConversations].sort());
  });

  for (const door of doors) {
    describe(`by ${door.name}`, () => {
      before(async () => {
        ({ conversationId } = await alice.createGroup([bob]));
        await untilReached();
      });

      for (const [name, row] of Object.entries(rows).filter(([method]) => door.has(method))) {
        it(name, async () => {
          const about = await said();
          await row.given?.(about);
          const request = requests[name]?.(about) ?? {};
          let answer = await door.call(methodOf(name), request);
          for (const began = Date.now(); row.lags && answer.records?.length === 0 && Date.now() - began < 20_000; ) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            answer = await door.call(methodOf(name), request);
          }
          await row.expect(answer, about, request);
          if (row.repeats !== true) return;
          assert.equal(answer.duplicate, false);
          const again = await door.call(methodOf(name), request);
          assert.deepEqual([placeOf(again), again.duplicate], [placeOf(answer), true]);
        });
      }
    });
  }
});
