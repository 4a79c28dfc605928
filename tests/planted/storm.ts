import type { PlantedBug } from "./bugs.ts";

/** Bugs of many at once: what is asked together, named shortly, taken over a Unix socket, refused; and of the single process. */
export const stormBugs: readonly PlantedBug[] = [
  {
    name: "displaced-not-noted",
    harm: "A replaced connection stays open when whoever was to have it closed dies at that moment.",
    changes: [
      {
        file: "services/presence/src/core/connections.ts",
        find: "if (displaced.length > 0) await store.noteDisplaced(connection.userId, displaced, leaseMs);",
        replace: "",
      },
    ],
    test: {
      spec: "services/presence/test/unit/connections.test.ts",
      name: "tells a gateway by its lease what was replaced",
    },
    says: /^\s*[+-]\s+connectionId: 'old'/,
  },
  {
    name: "displaced-forgotten",
    harm: "An instance of presence dies in the wrong moment: an open socket is forgotten, and nothing is pushed to it any more.",
    changes: [
      {
        file: "services/presence/src/store/connection-scripts.ts",
        find: "{redis.call('HDEL', KEYS[1], ARGV[1]), redis.call('HGETALL', KEYS[2])}",
        replace: "{redis.call('HDEL', KEYS[1], ARGV[1]), {}}",
      },
    ],
    test: {
      spec: "services/presence/test/integration/displaced.test.ts",
      name: "has it noted when the new connection goes",
    },
    says: /^\s*[+-]\s+'old'/,
  },
  {
    name: "memberships-one-by-one",
    harm: "When ten thousand come back, each Sync asks group by a call of its own.",
    changes: [
      {
        file: "services/query/src/peers/memberships.ts",
        find: "return (await look([key])).get(key) ?? ofUser(group, userId, leftSinceMs);",
        replace: "return ofUser(group, userId, leftSinceMs);",
      },
    ],
    test: { spec: "services/query/test/unit/memberships.test.ts", name: "asks by one call about all who ask at once" },
    says: /^\s*[+-]\s+groupId: '(first|g-)/,
  },
  {
    name: "memberships-of-another-time",
    harm: "A second device gets what was asked for the time of the first one and misses groups that were left.",
    changes: [
      {
        file: "services/query/src/peers/memberships.ts",
        find: "leftSinceMs: number | undefined): string => ",
        replace: "leftSinceMs: number | undefined): string => leftSinceMs ? userId + ' 5' : ",
      },
    ],
    test: {
      spec: "services/query/test/unit/memberships.test.ts",
      name: "whose other device asks apart for another time",
    },
    says: /^\s*[+-]\s+'00000000-0000-7000-8000-000000000001 9'/,
  },
  {
    name: "look-up-answered-by-earlier",
    harm: "Whoever asks joins a question that is under way and gets what was true before he asked.",
    changes: [
      {
        file: "runtime/src/joined-lookups.ts",
        find: "const gathered = waiting.shift();\n      if",
        replace:
          "const gathered = waiting[0];\n      if (gathered !== undefined) setImmediate(() => waiting.shift());\n      if",
      },
    ],
    test: { spec: "runtime/test/unit/joined-lookups.test.ts", name: "gives nobody an answer to an earlier question" },
    says: /AssertionError|^\s*[+-]\s+'/,
  },
  {
    name: "session-question-each",
    harm: "Each of ten thousand who come back costs auth a question of its own.",
    changes: [
      {
        file: "services/ws-gateway/src/session-check.ts",
        find: "if (this.#next === undefined) {",
        replace: "{",
      },
    ],
    test: {
      spec: "services/ws-gateway/test/unit/session-check.test.ts",
      name: "asks about one at once, and about all",
    },
    says: /^\s*[+-]\s+'[bcd]'|AssertionError/,
  },
  {
    name: "session-question-too-large",
    harm: "Auth refuses the question about more than a thousand sessions, and all of them are taken unasked.",
    changes: [
      {
        file: "services/ws-gateway/src/session-check.ts",
        find: "this.#liveOf(asked.slice(at, at + AT_ONCE))",
        replace: "this.#liveOf(asked.slice(at))",
      },
    ],
    test: {
      spec: "services/ws-gateway/test/unit/session-check.test.ts",
      name: "asks about no more than a thousand at once",
    },
    says: /2001 !== 1000|2000 !== 1000/,
  },
  {
    name: "packed-target-shifted",
    harm: "Who is told by his phone when his connection has gone is another user, or nobody.",
    changes: [
      {
        file: "services/pusher-realtime/src/core/packed-targets.ts",
        find: "bytes.subarray(at + ID_BYTES, at + TARGET_BYTES)",
        replace: "bytes.subarray(at, at + ID_BYTES)",
      },
    ],
    test: { spec: "services/pusher-realtime/test/unit/packed-targets.test.ts", name: "gives the ids that were packed" },
    says: /^\s*[+-]\s+'10111213-1415-1617-1819-1a1b1c1d1e1f'/,
  },
  {
    name: "packed-json-connection",
    harm: "A client that reads JSON gets records in binary.",
    changes: [
      {
        file: "services/orchestrator/src/core/known-users.ts",
        find: "codec === Codec.BINARY ? packTarget(connectionId, userId) : undefined",
        replace: "packTarget(connectionId, userId)",
      },
    ],
    test: { spec: "services/orchestrator/test/unit/packed-targets.test.ts", name: "names the others one by one" },
    says: /AssertionError|^\s*[+-]\s+/,
  },
  {
    name: "unix-socket-left",
    harm: "A gateway that was killed can't be started again, since its socket still lies there.",
    changes: [
      {
        file: "services/ws-gateway/src/unix-socket.ts",
        find: "if (await isLeftOver(path)) await rm",
        replace: "if (path === '') await rm",
      },
    ],
    test: {
      spec: "services/ws-gateway/test/integration/unix-socket.test.ts",
      name: "in place of a socket that was left there",
    },
    says: /EADDRINUSE/,
  },
  {
    name: "envoy-past-the-socket",
    harm: "Envoy goes on by the port: each write costs both sides twice as much.",
    changes: [
      {
        file: "infra/src/topology.ts",
        find: "(wsSocket ?? ",
        replace: "(",
      },
    ],
    test: { spec: "infra/test/unit/topology.test.ts", name: "has Envoy find the gateways by Unix sockets" },
    says: /AssertionError|^\s*[+-]\s+/,
  },
  {
    name: "standalone-gateway-first",
    harm: "The single process stops message before the gateway: packets of its last seconds are refused.",
    changes: [
      {
        file: "standalone/src/services.ts",
        find: '[{ name: "message", keys: messageKeys, start: message, public: true }],\n  [{ name: "router", keys: routerKeys, start: router, public: false }],',
        replace:
          '[{ name: "router", keys: routerKeys, start: router, public: false }],\n  [{ name: "message", keys: messageKeys, start: message, public: true }],',
      },
    ],
    test: { spec: "standalone/test/unit/config.test.ts", name: "stopped in the same order" },
    says: /^\s*[+-]\s+tier: \d/,
  },
];
