/** MQTT topics and the access rules that every broker must enforce. */
const ROOT = "muster/v1";

export const UP_CHANNELS = ["birth", "state", "heartbeat", "batch", "evidence", "will"] as const;
export const DOWN_CHANNELS = ["desired", "policy", "ack", "command", "challenge"] as const;
export type UpChannel = (typeof UP_CHANNELS)[number];
export type DownChannel = (typeof DOWN_CHANNELS)[number];

export const upTopic = (device: string, channel: UpChannel): string => `${ROOT}/${device}/up/${channel}`;
export const downTopic = (device: string, channel: DownChannel): string =>
  `${ROOT}/${device}/down/${channel}`;

/** The one filter that an agent subscribes to. */
export const downFilter = (device: string): string => `${ROOT}/${device}/down/+`;

/** Device and channel of an `up/` topic, or undefined for any other topic. */
export function parseUpTopic(topic: string): { device: string; channel: UpChannel } | undefined {
  const [muster, version, device, direction, channel, ...rest] = topic.split("/");
  if (`${muster}/${version}` !== ROOT || direction !== "up" || rest.length > 0) return undefined;
  const known = UP_CHANNELS.find((name) => name === channel);
  return device && known ? { device, channel: known } : undefined;
}

/** A device publishes on its own up channels, and nothing of it is retained. The will obeys the same rule. */
export function mayPublish(device: string, topic: string, retain: boolean): boolean {
  return !retain && parseUpTopic(topic)?.device === device;
}

/** A device subscribes to its own down channels: one of them, or all by `+`. */
export function maySubscribe(device: string, filter: string): boolean {
  return (
    filter === downFilter(device) || DOWN_CHANNELS.some((channel) => filter === downTopic(device, channel))
  );
}
