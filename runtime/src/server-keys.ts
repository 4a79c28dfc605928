import { text, url } from "./config.ts";

/** For services that use NATS. */
export const natsKeys = {
  natsUrl: url(
    "OCEANCHAT_NATS_URL",
    "NATS with JetStream, one server or several (`nats://a:4222,nats://b:4222`).",
    "nats://127.0.0.1:4222",
    ["nats", "tls"],
  ),
} as const;

/** For services that use the document store. */
export const mongoKeys = {
  mongodbUrl: url(
    "OCEANCHAT_MONGODB_URL",
    "The document store, one server or several (`mongodb://a,b/?replicaSet=x`).",
    "mongodb://127.0.0.1:27017",
    ["mongodb", "mongodb+srv"],
  ),
  mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE", "The database in it.", "oceanchat"),
} as const;

/** For services that use Redis or Valkey. */
export const redisKeys = {
  redisUrl: url(
    "OCEANCHAT_REDIS_URL",
    "Redis or Valkey; may be away or lose everything at any time.",
    "redis://127.0.0.1:6379",
    ["redis", "rediss"],
  ),
} as const;
