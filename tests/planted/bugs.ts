/** A bug that is planted on purpose, and the test that must catch it. */
export interface PlantedBug {
  readonly name: string;
  /** What goes wrong for people. */
  readonly harm: string;
  readonly changes: readonly Change[];
  readonly test: { readonly spec: string; readonly name: string };
  /** What the failing test must say: the check that sees it. Another failure doesn't count. */
  readonly says: RegExp;
}

/** A change of the source. */
export interface Change {
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "ack-before-publish",
    harm: "A sender is told that his message is accepted before it is durable, and in a place that another one may get.",
    changes: [
      {
        file: "services/message/src/core/append.ts",
        find: "const published = await this.#stream.publish(",
        replace:
          "job.resolve({ record: draft.record, duplicate: false });\n    const published = await this.#stream.publish(",
      },
    ],
    test: { spec: "tests/log/writers.test.ts", name: "leave no gap and no duplicate" },
    says: /C1/,
  },
  {
    name: "no-compare-and-set",
    harm: "Two instances give two messages the same place.",
    changes: [
      {
        file: "services/message/src/bus.ts",
        find: "expectLastSubjectSequence: expectedStreamSequence,",
        replace: "",
      },
    ],
    test: { spec: "tests/log/writers.test.ts", name: "leave no gap and no duplicate" },
    says: /C3/,
  },
  {
    name: "cursor-arrived-last",
    harm: "What somebody has read becomes unread when an older cursor arrives late.",
    changes: [
      {
        file: "services/persistence-writer/src/store/changes.ts",
        find: "update: { $max: { readSeq },",
        replace: "update: { $set: { readSeq },",
      },
    ],
    test: { spec: "tests/log/cursors.test.ts", name: "stay where they were moved furthest" },
    says: /C7/,
  },
  {
    name: "duplicate-as-error",
    harm: "A record that is delivered again blocks everything behind it: nothing is stored any more.",
    changes: [
      {
        file: "services/persistence-writer/src/store/writes.ts",
        find: "const other = errors.find((each) => !isDuplicateKey(each));",
        replace: "const [other] = errors;",
      },
    ],
    test: { spec: "tests/log/redelivery.test.ts", name: "changes nothing" },
    says: /still wait/,
  },
  {
    name: "membership-unchecked-in-sync",
    harm: "The device of somebody who was removed from a group is shown what is said there afterwards.",
    changes: [
      {
        file: "services/query/src/core/sync/movers.ts",
        find: "const intervalsOf = ({ fromSeq, toSeq }: Membership): readonly Interval[] => [{ fromSeq, toSeq }];",
        replace: "const intervalsOf = (_: Membership): readonly Interval[] => WHOLE;",
      },
      {
        // What is described is asked for once more, which would mend it.
        file: "services/query/src/core/still-readable.ts",
        find: "const open = candidates.flatMap(openGroupOf);",
        replace: "const open = candidates.slice(0, 0).flatMap(openGroupOf);",
      },
    ],
    test: { spec: "tests/log/sync.test.ts", name: "shown nothing of what came after" },
    says: /C6/,
  },
  {
    name: "membership-unchecked-in-pages",
    harm: "Whoever was removed from a group reads on.",
    changes: [
      {
        file: "services/query/src/core/access.ts",
        find: "  return intervals;\n",
        replace: "  return WHOLE;\n",
      },
    ],
    test: { spec: "tests/log/membership.test.ts", name: "read exactly what lies within their memberships" },
    says: /C6/,
  },
  {
    name: "one-device-takes-all",
    harm: "When one device goes, its user looks offline and gets nothing on his others.",
    changes: [
      {
        file: "services/presence/src/store/connection-scripts.ts",
        find: "local answer = {redis.call('HDEL', KEYS[1], ARGV[1])}",
        replace: "local answer = {redis.call('DEL', KEYS[1])}",
      },
    ],
    test: { spec: "tests/presence/truth.test.ts", name: "equals reality after whatever happens" },
    says: /presence isn't true/,
  },
  {
    name: "lost-and-not-asked-for",
    harm: "After Redis has lost everything, those who are connected look offline until they connect again.",
    changes: [
      {
        file: "services/presence/src/core/connections.ts",
        find: "return { reportAll: !(await store.renewLease(gatewayId, address, leaseMs)) };",
        replace: "await store.renewLease(gatewayId, address, leaseMs);\n      return { reportAll: false };",
      },
    ],
    test: { spec: "tests/presence/truth.test.ts", name: "equals reality after whatever happens" },
    says: /presence isn't true/,
  },
  {
    name: "dead-gateways-count",
    harm: "Whoever was connected to a gateway that died looks online for ever.",
    changes: [
      {
        file: "services/presence/src/core/leases.ts",
        find: "    return answer;\n  }\n\n  /** Some of those",
        replace:
          '    for (const gatewayId of unknown) if (!answer.has(gatewayId)) answer.set(gatewayId, "127.0.0.1:1");\n    return answer;\n  }\n\n  /** Some of those',
      },
      {
        file: "services/presence/src/core/sweep.ts",
        find: "    if (living.has(gateway.gatewayId)) continue;",
        replace: "    if (living.size >= 0) continue;",
      },
    ],
    test: { spec: "tests/presence/truth.test.ts", name: "equals reality after whatever happens" },
    says: /presence isn't true/,
  },
  {
    name: "uncounted-change",
    harm: "Who stops hearing everybody is written to for up to a minute more.",
    changes: [
      {
        file: "services/user/src/core/direct-revisions.ts",
        find: "this.#store.begin([...new Set(userIds.map(slotOf))])",
        replace: "this.#store.begin([])",
      },
    ],
    test: { spec: "tests/e2e/permissions.test.ts", name: "counts within a second of a change" },
    says: /strictly deep-equal/,
  },
];
