/** The durable consumer of the stream REPLAY that takes back what a consumer has given up. */
export const replayConsumerOf = (stream: string, consumer: string): string => `${stream}-${consumer}`;
