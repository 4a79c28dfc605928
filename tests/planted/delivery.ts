import type { PlantedBug } from "./bugs.ts";

/** Bugs of connections and of delivery: who is where, who gets what in which order, who is told by his phone, who may ask how much. */
export const deliveryBugs: readonly PlantedBug[] = [
  {
    name: "stamp-forgotten",
    harm: "Whoever has just connected gets no records, since the orchestrator goes on believing that he is nowhere.",
    changes: [
      {
        file: "services/presence/src/store/connections.ts",
        find: "whoever sees the old stamp has asked before the entry counts.\n        stamps.renew(userId),",
        replace: "whoever sees the old stamp has asked before the entry counts.",
      },
    ],
    test: {
      spec: "services/presence/test/integration/presence.test.ts",
      name: "never leaves the stamp of an answer that misses a connection",
    },
    says: /AssertionError.*: u\d+/,
  },
  {
    name: "stamp-not-compared",
    harm: "The same, although presence says that the answer of before counts no longer.",
    changes: [
      {
        file: "services/orchestrator/src/core/locator.ts",
        find: "if (stamps.get(user.slot) !== user.stamp) changed.push(userId);",
        replace: "if (stamps.size < 0) changed.push(userId);",
      },
    ],
    test: { spec: "services/orchestrator/test/unit/locator.test.ts", name: "misses nobody who has connected since" },
    says: /^\s*[+-]\s+'gw1\//,
  },
  {
    name: "gone-while-rebuilt",
    harm: "When Redis has lost everything, phones of those who are connected are told, and their sockets get nothing.",
    changes: [
      {
        file: "services/orchestrator/src/core/locator.ts",
        find: "if (rebuilding && ",
        replace: "if (rebuilding && false && ",
      },
    ],
    test: { spec: "services/orchestrator/test/unit/locator.test.ts", name: "while presence is being told again" },
    says: /Missing expected rejection/,
  },
  {
    name: "gone-at-farewell",
    harm: "Everybody on a gateway that is restarted looks offline for a moment.",
    changes: [
      {
        file: "services/presence/src/core/connections.ts",
        find: "store.endLease(gatewayId, Math.min(RETURN_MS, leaseMs), now())",
        replace: "store.endLease(gatewayId, 0, now())",
      },
    ],
    test: { spec: "services/presence/test/integration/presence.test.ts", name: "come back for a moment" },
    says: /^\s*[+-]\s+'c1'/,
  },
  {
    name: "deaf-while-it-drains",
    harm: "What is sent to those whom a stopping gateway has yet to close doesn't come.",
    changes: [
      {
        file: "services/ws-gateway/src/main.ts",
        find: 'host.handOver("connections"',
        replace: 'host.beforeStop("connections"',
      },
    ],
    test: { spec: "services/ws-gateway/test/integration/failures.test.ts", name: "until that is closed" },
    says: /GatewayMeshService\/Deliver|written to \d+/,
  },
  {
    name: "phones-of-a-dead-gateway",
    harm: "When a gateway dies, the phones of all its users are told before they could come back.",
    changes: [
      {
        file: "services/pusher-realtime/src/core/make-up.ts",
        find: 'want.when = "later"',
        replace: 'want.when = "now"',
      },
    ],
    test: { spec: "services/pusher-realtime/test/unit/core.test.ts", name: "users of a gateway that is dead" },
    says: /about to come back/,
  },
  {
    name: "told-although-back",
    harm: "Who has come back and has read it is told by his phone all the same.",
    changes: [
      {
        file: "services/pusher-offline/src/core/dispatch.ts",
        find: "if (back.has(userId)) {",
        replace: "if (back.size < 0) {",
      },
    ],
    test: { spec: "services/pusher-offline/test/unit/dispatch.test.ts", name: "tells those who have not come back" },
    says: /^\s*[+-]\s+'user-1'/,
  },
  {
    name: "behind-its-successor",
    harm: "A record that was meant for a dead gateway comes to the new connection behind a later one.",
    changes: [
      {
        file: "services/pusher-realtime/src/core/make-up.ts",
        find: "{ ...addressed, hintOnly: true, targets: [] }",
        replace: "{ ...addressed, targets: [] }",
      },
    ],
    test: { spec: "services/pusher-realtime/test/unit/core.test.ts", name: "since what follows may be there" },
    says: /^\s*[+-]\s+'gw2:1 5,6/,
  },
  {
    name: "others-look-ups",
    harm: "A device that comes back is told of what others have asked for at the same time.",
    changes: [
      {
        file: "runtime/src/joined-lookups.ts",
        find: "const own = new Map<string, V>();",
        replace: "const own = new Map<string, V>(found.flatMap((part) => [...part]));",
      },
    ],
    test: { spec: "runtime/test/unit/joined-lookups.test.ts", name: "gives everybody his own" },
    says: /^\s*[+-]\s+'value of a'/,
  },
  {
    name: "greedy-syncs-first",
    harm: "One user who asks again and again keeps everybody else from learning what he has missed.",
    changes: [
      {
        file: "services/query/src/turns.ts",
        find: "      this.#waiting.delete(userId);\n      if (own.length > 0) this.#waiting.set(userId, own);",
        replace: "      if (own.length === 0) this.#waiting.delete(userId);",
      },
    ],
    test: { spec: "services/query/test/unit/turns.test.ts", name: "who asks much wait for the others" },
    says: /^\s*[+-]\s+'(bob|greedy 3)'/,
  },
  {
    name: "another-lanes-answers",
    harm: "What contradicts the log in one lane is looked for in another, and the right record is given up.",
    changes: [
      {
        file: "services/persistence-writer/src/core/joined.ts",
        find: "written.slice(from, from + entries.length)",
        replace: "written.slice(0, entries.length)",
      },
    ],
    test: { spec: "services/persistence-writer/test/unit/joined.test.ts", name: "gives each its own answers" },
    says: /^\s*[+-]\s+'3'/,
  },
  {
    name: "unanswered-not-sent-again",
    harm: "A router that is restarted loses packets: their senders wait, and are told that nobody knows what became of them.",
    changes: [{ file: "services/ws-gateway/src/peers.ts", find: "    resend: true,\n", replace: "" }],
    test: { spec: "services/ws-gateway/test/integration/failures.test.ts", name: "what the first didn't answer" },
    says: /^\s*[+-]\s+0,?$/,
  },
  {
    name: "no-limit-of-an-address",
    harm: "One machine takes all connections that a gateway has.",
    changes: [
      {
        file: "services/ws-gateway/src/core/addresses.ts",
        find: "if (count >= this.#max) return undefined;",
        replace: "if (count >= 1000 * this.#max) return undefined;",
      },
    ],
    test: { spec: "services/ws-gateway/test/integration/addresses.test.ts", name: "refuses upgrades beyond it" },
    says: /not refused/,
  },
  {
    name: "no-limit-of-packets",
    harm: "One connection sends as fast as it can, and everybody else's packets wait behind its.",
    changes: [
      {
        file: "services/ws-gateway/src/core/allowance.ts",
        find: "return Math.ceil(Math.max(0, packets - 1e-6, bytes - 1e-6));",
        replace: "return Math.ceil(Math.max(0, bytes - 1e-6) + 0 * packets);",
      },
    ],
    test: { spec: "services/ws-gateway/test/integration/limits.test.ts", name: "a connection that sends too fast" },
    says: /AssertionError.*: [\d.]+ ms/,
  },
  {
    name: "watchers-not-asked-anew",
    harm: "Whoever is no longer allowed to see that somebody is here goes on seeing it.",
    changes: [
      {
        file: "services/presence/src/core/fan-out.ts",
        find: "if (walk.reviewed) return true;",
        replace: "if (walk.reviewed) return false;",
      },
    ],
    test: { spec: "services/presence/test/integration/changes.test.ts", name: "without any other change" },
    says: /^\s*[+-]\s+'c_.* OFFLINE'/,
  },
];
