/** What holds the streams of an instance, where a connection has its gateway. No gateway's name begins so. */
export const streamGateway = (instanceId: string): string => `~${instanceId}`;

/** The instance whose streams these are; undefined for a gateway. */
export const instanceOf = (gatewayId: string): string | undefined =>
  gatewayId.startsWith("~") ? gatewayId.slice(1) : undefined;
