// A mesh door in a process of its own, for tests that kill it. Texts: "hold" is never answered.
import { openEcho } from "./echo-door.ts";

const never = new Promise<never>(() => undefined);
const reply = (text: string) => {
  process.send?.({ got: text });
  return text.startsWith("hold") ? never : { text: `${text} from ${process.pid}` };
};
const door = await openEcho({
  say: async ({ text }) => reply(text),
  read: async ({ text }) => reply(text),
  exchange: async ({ text }) => reply(text),
});
process.on("disconnect", () => process.exit());
process.send?.({ address: door.address });
