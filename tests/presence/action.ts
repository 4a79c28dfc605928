import * as fc from "fast-check";

/** How many users there are, and devices of each: more than may be connected at the same time. */
export const USERS = 8;
export const DEVICES = 3;

/** What somebody can choose, and what others see of it while he is here. */
export const CHOICES = ["STATUS_ONLINE", "STATUS_AWAY", "STATUS_BUSY", "STATUS_INVISIBLE"] as const;
export type Choice = (typeof CHOICES)[number];

/** Something that happens. */
export type Action =
  | { readonly kind: "connect"; readonly user: number; readonly device: number; readonly gateway: number }
  | { readonly kind: "close" | "reset" | "lose"; readonly user: number; readonly device: number }
  | { readonly kind: "choose"; readonly user: number; readonly choice: Choice }
  | { readonly kind: "kill" | "freeze"; readonly gateway: number }
  | { readonly kind: "restart"; readonly presence: number }
  | { readonly kind: "flush" };

const user = fc.nat(USERS - 1);
const device = fc.nat(DEVICES - 1);
const gateway = fc.nat(1);
const ofDevice = (kind: "close" | "reset" | "lose") => fc.record({ kind: fc.constant(kind), user, device });
const ofGateway = (kind: "kill" | "freeze") => fc.record({ kind: fc.constant(kind), gateway });

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 100, arbitrary: fc.record({ kind: fc.constant("connect" as const), user, device, gateway }) },
  { weight: 35, arbitrary: ofDevice("close") },
  { weight: 20, arbitrary: ofDevice("reset") },
  { weight: 15, arbitrary: ofDevice("lose") },
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constant("choose" as const), user, choice: fc.constantFrom(...CHOICES) }),
  },
  { weight: 4, arbitrary: ofGateway("kill") },
  { weight: 2, arbitrary: ofGateway("freeze") },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const), presence: fc.nat(1) }) },
);

/** So many actions, among them both ways in which a gateway is lost, and Redis losing everything once. */
export const actions = (count: number): fc.Arbitrary<Action[]> =>
  fc
    .tuple(
      fc.array(action, { minLength: count - 3, maxLength: count - 3 }),
      fc.tuple(fc.nat(count - 3), fc.nat(count - 3), fc.nat(count - 3)),
      gateway,
    )
    .map(([list, [flush, kill, freeze], which]) => {
      const all = [...list];
      all.splice(flush, 0, { kind: "flush" });
      all.splice(kill, 0, { kind: "kill", gateway: which });
      all.splice(freeze, 0, { kind: "freeze", gateway: 1 - which });
      return all;
    });
