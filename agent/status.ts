import type { Attestation } from "./attestation/attestation.ts";
import type { Box } from "./box.ts";
import { machineVitals } from "./health/vitals.ts";
import type { Identity } from "./identity/identity.ts";
import type { Inference } from "./inference/inference.ts";
import type { Local } from "./local.ts";
import type { Power } from "./power/power.ts";
import { AGENT_VERSION } from "./version.ts";

/** What a heartbeat tells of the box and its inference since the last one. */
export function vitalsOf({ settings, outbox }: Box, inference: Inference, power: Power) {
  const { rssBytes, restarts } = inference.status();
  const powerHealth = power.takeHealth();
  return {
    uptimeSeconds: Math.floor(process.uptime()),
    health: {
      ...machineVitals(settings.data),
      temperatureC: power.temperatureC,
      runnerRss: rssBytes,
      runnerRestarts: restarts,
      outboxBytes: outbox.position().bytes,
      ...(powerHealth && { power: powerHealth }),
    },
    inference: inference.takeCounters(),
  };
}

/** What `muster-agent status` shows. */
export function statusOf(
  { outbox, fileFault }: Box,
  identity: Identity,
  { inference, engine, facts, power, feeder }: Local,
  attestation: Attestation,
) {
  const { place } = identity;
  return {
    version: AGENT_VERSION,
    boxFileFault: fileFault,
    pid: process.pid,
    uptimeSeconds: Math.floor(process.uptime()),
    device: identity.device,
    /** Why its keys stay closed; null where they are open. */
    locked: identity.closedBy?.message ?? null,
    enrolled: place
      ? {
          server: place.server,
          mqttUrl: place.mqttUrl,
          at: place.at,
          assurance: place.assurance,
          /** Null while the keys are closed. */
          renewAt: identity.closedBy ? null : identity.renewAt(),
        }
      : null,
    hardware: facts.now(),
    outbox: outbox.position(),
    reported: engine.state(),
    inference: inference.status(),
    power: power.status(),
    feeder: feeder?.status() ?? null,
    attestation: attestation.status(),
  };
}
