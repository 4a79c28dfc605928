/** One figure of a piece's JSON line: a number, or an array of them, one for each run. */
export interface FigureSpec {
  readonly name: string;
  readonly unit: string;
  /** Where it is in the line: names with dots between them. */
  readonly at: string;
  /** Where the figure is that it can't pass, or that of the same thing done barely. */
  readonly ceiling?: string;
  /** What share of the ceiling is demanded. */
  readonly atLeast?: number;
}

/** A script that measures one thing over servers of its own, and prints one line of JSON. */
export interface Piece {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** For trying whether it works. */
  readonly quickArgs: readonly string[];
  /** After this time it is ended. */
  readonly limitSeconds: number;
  readonly figures: readonly FigureSpec[];
}

function appendsOver(conversations: number, atLeast?: number): FigureSpec[] {
  const at = (way: string) => `conversations.${conversations}.${way}`;
  const name = (what: string) => `${what}, ${conversations} conversation${conversations === 1 ? "" : "s"}`;
  const ceiling = at("jsPublish.perSecond");
  return [
    { name: name("js.publish"), unit: "/s", at: ceiling },
    { name: name("bus.publish"), unit: "/s", at: at("busPublish.perSecond"), ceiling },
    {
      name: name("one message instance"),
      unit: "/s",
      at: at("message.perSecond"),
      ceiling,
      ...(atLeast === undefined ? {} : { atLeast }),
    },
    { name: name("its sends that failed"), unit: "", at: at("message.failed") },
    { name: name("its p50"), unit: "ms", at: at("message.p50Ms"), ceiling: at("jsPublish.p50Ms") },
    { name: name("its p99"), unit: "ms", at: at("message.p99Ms"), ceiling: at("jsPublish.p99Ms") },
  ];
}

function pagesFrom(): FigureSpec[] {
  const places = [
    { name: "newest, from the tail", at: "newestFromTail", bare: "newest" },
    { name: "newest, from the store", at: "newestFromStore", bare: "newest" },
    { name: "from the middle", at: "middle", bare: "middle" },
    { name: "oldest", at: "oldest", bare: "oldest" },
  ];
  return places.flatMap(({ name, at, bare }) =>
    ["p50", "p99"].map((percentile) => ({
      name: `page of 50, ${name}, ${percentile}`,
      unit: "ms",
      at: `${at}.folded.${percentile}Ms`,
      ceiling: `bareFind.${bare}.${percentile}Ms`,
    })),
  );
}

function searchesBy(what: string, at: string): FigureSpec[] {
  return [
    { name: `${what}, everywhere, p50`, unit: "ms", at: `${at}.all.p50Ms` },
    { name: `${what}, everywhere, p99`, unit: "ms", at: `${at}.all.p99Ms` },
    { name: `${what}, in one conversation, p50`, unit: "ms", at: `${at}.one.p50Ms` },
    { name: `${what}, in one conversation, p99`, unit: "ms", at: `${at}.one.p99Ms` },
  ];
}

function syncsOf(): FigureSpec[] {
  const rounds = [
    { name: "the first time", at: "first" },
    { name: "all have moved", at: "stored" },
    { name: "all have moved, not stored yet", at: "inTheLog" },
    { name: "nothing has moved", at: "nothing" },
  ];
  return rounds.flatMap(({ name, at }) =>
    ["p50", "p99"].map((percentile) => ({
      name: `sync of 1,000 conversations, ${name}, ${percentile}`,
      unit: "ms",
      at: `${at}.pagesOf1000.${percentile}Ms`,
    })),
  );
}

/** All of them, in the order in which they run. */
export const PIECES: readonly Piece[] = [
  {
    name: "appends",
    script: "appends.ts",
    args: [],
    quickArgs: ["--seconds", "1", "--runs", "1"],
    limitSeconds: 240,
    figures: [...appendsOver(1), ...appendsOver(32), ...appendsOver(256, 0.7)],
  },
  {
    name: "atomic-batch",
    script: "atomic-batch.ts",
    args: ["--seconds", "1"],
    quickArgs: ["--seconds", "0.3", "--runs", "1"],
    limitSeconds: 60,
    figures: [
      { name: "one conversation, one by one", unit: "/s", at: "recordsPerSecond.one by one" },
      { name: "in batches of 64", unit: "/s", at: "recordsPerSecond.batches of 64" },
    ],
  },
  {
    name: "writer",
    script: "writer.ts",
    args: ["--records", "40000"],
    quickArgs: ["--records", "4000", "--runs", "1"],
    limitSeconds: 240,
    figures: [
      { name: "insertMany", unit: "/s", at: "perSecond.bare" },
      { name: "persistence-writer", unit: "/s", at: "perSecond.writer", ceiling: "perSecond.bare", atLeast: 0.6 },
    ],
  },
  {
    name: "pages-100k",
    script: "pages.ts",
    args: ["--records", "100000", "--pages", "300"],
    quickArgs: ["--records", "5000", "--pages", "20"],
    limitSeconds: 240,
    figures: pagesFrom(),
  },
  {
    name: "pages-1m",
    script: "pages.ts",
    args: ["--records", "1000000", "--pages", "300"],
    quickArgs: ["--records", "20000", "--pages", "20"],
    limitSeconds: 480,
    figures: pagesFrom(),
  },
  {
    name: "search",
    script: "search.ts",
    args: ["--messages", "100000", "--conversations", "1000", "--searches", "15"],
    quickArgs: ["--messages", "2000", "--conversations", "50", "--searches", "3"],
    limitSeconds: 480,
    figures: [
      ...searchesBy("frequent words", "frequentWord"),
      ...searchesBy("rare words", "rareWord"),
      ...searchesBy("the beginning of a rare word", "rareBeginning"),
    ],
  },
  {
    name: "bytes",
    script: "bytes.ts",
    args: ["--messages", "50000"],
    quickArgs: ["--messages", "2000"],
    limitSeconds: 240,
    figures: [
      { name: "the text", unit: "bytes a message", at: "text" },
      { name: "in the log, on disk", unit: "bytes a message", at: "log" },
      { name: "its document in the store", unit: "bytes a message", at: "documents.records" },
      { name: "all in the store, on disk", unit: "bytes a message", at: "onDisk.withoutSearch" },
      { name: "what search adds, on disk", unit: "bytes a message", at: "onDisk.search" },
      { name: "its document for search", unit: "bytes a message", at: "documents.search_entries" },
      { name: "newest in Redis", unit: "bytes a conversation", at: "tailPerConversation" },
    ],
  },
  {
    name: "sync",
    script: "sync.ts",
    args: ["--conversations", "1000", "--messages", "20", "--rounds", "20"],
    quickArgs: ["--conversations", "100", "--messages", "3", "--rounds", "2"],
    limitSeconds: 300,
    figures: syncsOf(),
  },
];
