import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { insertEach, isDuplicate, isDuplicateKey, openMongo, reading, writing } from "@oceanchat/runtime/mongo";
import { refused, silentLog } from "@oceanchat/runtime/testing";
import { openRelay, type Relay } from "@oceanchat/runtime/testing-relay";
import { type Collection, type Db, MongoClient } from "mongodb";

interface Note {
  readonly _id: string;
  readonly place: number;
  readonly count?: bigint;
  readonly bytes?: Uint8Array;
}

const notesOf = async (db: Db): Promise<{ readonly notes: Collection<Note> }> => {
  const notes = db.collection<Note>("notes");
  await notes.createIndex({ place: 1 }, { unique: true });
  return { notes };
};

describe("the document store", () => {
  let servers: TestServers;
  let relay: Relay;
  let store: Awaited<ReturnType<typeof open>>;
  const open = (url: string) =>
    openMongo({ url, database: "runtime", name: "test", log: silentLog, waitMs: 500 }, notesOf);

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    relay = await openRelay(servers.mongodbUrl);
    store = await open(servers.mongodbUrl);
  });
  afterEach(() => relay.mend());
  after(async () => {
    await store?.close();
    await relay?.close();
    await servers?.stop();
  });

  it("gives 64-bit numbers and bytes back as they were, and leaves out what is undefined", async () => {
    const note: Note = { _id: "all", place: -1, count: 2n ** 53n + 1n, bytes: Buffer.from("bytes") };
    await store.notes.insertOne({ ...note, more: undefined } as Note);
    assert.deepEqual(await store.notes.findOne({ _id: "all" }), note);
  });

  it("says which documents it has already", async () => {
    assert.deepEqual(await insertEach(store.notes, [{ _id: "a", place: 0 }]), []);
    const again = [
      { _id: "b", place: 1 },
      { _id: "a", place: 2 },
      { _id: "c", place: 0 },
      { _id: "d", place: 3 },
    ];
    const errors = await insertEach(store.notes, again);
    assert.deepEqual(
      errors.map(({ index }) => index),
      [1, 2],
    );
    assert.ok(errors.every(isDuplicateKey));
    assert.equal(await store.notes.countDocuments({ _id: { $in: ["b", "c", "d"] } }), 2);
    await assert.rejects(
      writing(() => store.notes.insertOne({ _id: "a", place: 9 })),
      isDuplicate,
    );
  });

  const writes = {
    insertEach: (notes: Collection<Note>) => insertEach(notes, [{ _id: "e", place: 5 }]),
    bulkWrite: (notes: Collection<Note>) =>
      writing(() => notes.bulkWrite([{ insertOne: { document: { _id: "e", place: 5 } } }])),
    insertOne: (notes: Collection<Note>) => writing(() => notes.insertOne({ _id: "e", place: 5 })),
  };
  for (const [name, write] of Object.entries(writes)) {
    it(`does not take silence for an answer: ${name}`, async () => {
      const { notes, close } = await open(relay.url);
      try {
        relay.trap();
        await refused(write(notes), "OUTCOME_UNKNOWN");
        assert.equal(await store.notes.findOne({ _id: "e" }), null);
      } finally {
        await close();
      }
    });
  }

  it("says so while it is not there", async () => {
    const { notes, close } = await open(relay.url);
    const read = () => reading(() => notes.findOne({ _id: "a" }));
    try {
      relay.cut();
      await refused(read(), "UNAVAILABLE");
      await refused(writes.insertOne(notes), "OUTCOME_UNKNOWN");
    } finally {
      await close();
    }
  });

  it("is waited for when it starts later than the service", async () => {
    relay.cut();
    const opening = open(relay.url);
    // Long enough for it to have been refused: nothing else would be waited for.
    await assert.rejects(ping(relay.url));
    relay.mend();
    const other = await opening;
    assert.equal((await other.notes.findOne({ _id: "a" }))?.place, 0);
    await other.close();
  });

  it("is not waited for when the service itself is to blame", async () => {
    const wrong = openMongo({ url: relay.url, database: "runtime", name: "test", log: silentLog }, () => {
      throw new TypeError("a defect");
    });
    await assert.rejects(wrong, TypeError);
  });
});

async function ping(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000 });
  try {
    await client.db("runtime").command({ ping: 1 });
  } finally {
    await client.close();
  }
}
