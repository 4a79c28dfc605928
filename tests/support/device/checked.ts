import type { MongoClient } from "mongodb";
import { check } from "../../log/checker.ts";
import type { Entry, View, Violation } from "../../log/history.ts";
import { storedOf } from "../../log/support/at-rest.ts";
import type { JsonRecord, TestUser } from "../user.ts";
import type { Device } from "./device.ts";

/** What the checker of the message log says of what devices have sent and seen in their conversations, once it has come to rest. */
export async function checked(
  devices: readonly Device[],
  conversationsOf: (index: number) => readonly string[],
  mongo: MongoClient,
): Promise<Violation[]> {
  const stream = new Map<string, Entry[]>();
  const lists: View[] = [];
  for (const [index, { user }] of devices.entries()) {
    for (const conversationId of conversationsOf(index)) {
      const began = performance.now();
      const records = await user.records(conversationId);
      stream.set(conversationId, records.map(entryOf));
      lists.push(listOf(user, conversationId, began, records));
    }
  }
  const entries = [...stream.values()].flat();
  return check(
    {
      operations: devices.flatMap(({ diary }) => diary.messages),
      cursorMoves: [],
      views: devices.flatMap(({ diary }) => diary.sights),
    },
    { stream: entries, store: await storedOf({ mongo }, [...stream.keys()], entries.length), lists, told: [] },
  );
}

function listOf({ userId }: TestUser, conversationId: string, began: number, records: readonly JsonRecord[]): View {
  const shown = records.map(({ seq, recordId }) => ({ seq: Number(seq), recordId }));
  return { userId, conversationId, via: "records", began, ended: performance.now(), records: shown };
}

function entryOf({ conversationId, seq, recordId, senderUserId, message, membership }: JsonRecord): Entry {
  const place = { conversationId, seq: Number(seq), recordId, senderUserId };
  if (message !== undefined) {
    const text = message.content.text?.text ?? "";
    return { ...place, fact: { kind: "message", text }, key: message.clientMessageId };
  }
  const { joined = [], left = [], removed = [] } = membership ?? {};
  return { ...place, fact: { kind: "membership", joined, left: [...left, ...removed] }, key: undefined };
}
