import type { Endpoint } from "./endpoint.ts";
import type { GroupStatus, InferenceStatus } from "./ports.ts";
import type { ServedGroup } from "./served-group.ts";
import type { ServedRelease } from "./served-release.ts";

/** How inference is, as the agent core and `status` see it. @param restarts since this process began */
export function statusOf(
  served: ServedRelease | undefined,
  endpoint: Pick<Endpoint, "url">,
  restarts: number,
): InferenceStatus {
  const listening = served?.listening;
  const port = listening?.port ?? null;
  return {
    state: served?.state ?? "idle",
    release: served?.deployment.release ?? null,
    retrying: served !== undefined && !served.damaged,
    components: served?.components ?? [],
    restarts,
    pid: served?.groups[0]?.runner?.pid ?? null,
    rssBytes: served?.rssBytes ?? 0,
    groups: (served?.groups ?? []).map(groupStatus),
    endpoint: {
      url: port === null ? null : endpoint.url(port),
      socket: listening?.socketPath ?? null,
      grpcPort: listening?.grpcPort ?? null,
      failure: listening?.failure ?? null,
    },
  };
}

const groupStatus = (group: ServedGroup): GroupStatus => ({
  id: group.id,
  state: group.state,
  reason: group.reason,
  pid: group.runner?.pid ?? null,
  rssBytes: group.rssBytes,
  crashes: group.crashes,
  step: group.step ?? null,
  socket: group.listening?.groupPath ?? null,
  models: group.models.map(({ name, version, variant, provider }) => ({ name, version, variant, provider })),
});
