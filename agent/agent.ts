import { asMusterError, MusterError } from "@muster/shared/errors";
import { type Box, enrollBox, identityOf, newId, openBox, openFacts, socketOf } from "./box.ts";
import { inferenceSettings, linkSettings, missingSocket, updateSettings } from "./config/module-settings.ts";
import type { Settings } from "./config/settings.ts";
import type { Facts } from "./health/facts.ts";
import { machineVitals } from "./health/vitals.ts";
import { enrollPatiently } from "./identity/enroll-patiently.ts";
import type { Identity } from "./identity/identity.ts";
import { keepRenewed } from "./identity/renewal.ts";
import { Inference } from "./inference/inference.ts";
import { DeviceHttp } from "./link/device-http.ts";
import { Link } from "./link/link.ts";
import { LocalApi } from "./local-api/local-api.ts";
import type { Log } from "./log.ts";
import { ownDirectory, privateDirectory } from "./storage/files.ts";
import { UpdateEngine } from "./update/engine.ts";
import { AGENT_VERSION } from "./version.ts";

/** The running agent. */
export interface Agent {
  /** Says goodbye and ends every part, the last one started first. */
  stop(): Promise<void>;
}

/**
 * Starts the agent part by part: what runs locally first, the network last, so that a box without a network
 * serves what it served before.
 * @param failed told when it cannot go on, e.g. because its join token is spent
 * @throws MusterError `agent.running`, `enrollment.missing`, `settings.invalid`, of the `storage.` family
 */
export async function startAgent(
  settings: Settings,
  log: Log,
  failed: (error: unknown) => void,
): Promise<Agent> {
  const ends: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    let status = (): unknown => ({ version: AGENT_VERSION });
    await ownDirectory(settings.data);
    await privateDirectory(`${settings.data}/run`);
    const localApi = await LocalApi.listen(socketOf(settings), () => status());
    ends.push(() => localApi.close());
    const box = openBox(settings, log);
    ends.push(() => box.database.close());
    const identity = await identityOf(settings);
    const order = enrollmentOrder(settings, identity);
    const local = await runLocally(box, identity, log, ends);
    status = () => ({ ...statusOf(box, identity, local), link: null });
    const connecting = new AbortController();
    ends.push(() => connecting.abort());
    connect(box, identity, local, order, log, ends, connecting.signal)
      .then((link) => {
        if (link) status = () => ({ ...statusOf(box, identity, local), link: link.status() });
      })
      .catch(failed);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Order {
  server: string;
  token: string;
}

/** What to enroll with, if there is a token. @throws MusterError `enrollment.missing`, `settings.invalid` */
function enrollmentOrder(settings: Settings, identity: Identity): Order | undefined {
  const { token } = settings;
  const server = settings.server ?? identity.enrollment?.server;
  if (token === null && !identity.enrollment) throw new MusterError("enrollment.missing");
  if (token === null) return undefined;
  if (server === undefined) throw new MusterError("settings.invalid", "--token needs --server.");
  return { server, token };
}

interface Local {
  facts: Facts;
  inference: Inference;
  http: DeviceHttp;
  engine: UpdateEngine;
}

async function runLocally(box: Box, identity: Identity, log: Log, ends: (() => unknown)[]): Promise<Local> {
  const { settings, outbox, notices, database } = box;
  const facts = await openFacts(settings, () => log.info({ facts: facts.now() }, "the box has changed"));
  const noSocket = missingSocket(settings);
  if (noSocket !== undefined) {
    log.warn({ code: "settings.invalid" }, noSocket);
    notices.note("settings.invalid", noSocket);
  }
  const inference = new Inference({
    version: AGENT_VERSION,
    settings: inferenceSettings(settings),
    log: log.child({ part: "inference" }),
    onResults: (batch) => {
      try {
        outbox.append(batch.map((result) => ({ kind: "result", ...result })));
      } catch (error) {
        const { code, message } = asMusterError(error);
        notices.note(code, `Results could not be stored: ${message}`);
        throw error;
      }
    },
    onEvent: ({ code, message }) => notices.note(code, message),
    onChange: () => engine.runnerChanged(),
  });
  ends.push(() => inference.stop());
  const http = new DeviceHttp({
    server: () => settings.server ?? identity.enrollment?.server ?? "",
    tls: () => identity.tls(),
    timeoutMs: settings.httpTimeoutSeconds * 1000,
  });
  ends.push(() => http.close());
  const engine: UpdateEngine = new UpdateEngine({
    device: identity.keys.device,
    dataDir: settings.data,
    database,
    outbox,
    http,
    inference,
    facts: () => facts.now(),
    log: log.child({ part: "update" }),
    random: Math.random,
    settings: updateSettings(settings),
  });
  ends.push(() => engine.stop());
  await engine.start();
  return { facts, inference, http, engine };
}

/** Enrolls if need be and opens the line. @returns undefined when it was stopped before */
async function connect(
  box: Box,
  identity: Identity,
  { facts, inference, http, engine }: Local,
  order: Order | undefined,
  log: Log,
  ends: (() => unknown)[],
  signal: AbortSignal,
): Promise<Link | undefined> {
  const { settings, outbox, notices, boot } = box;
  const rules = linkSettings(settings);
  const known = identity.enrollment !== undefined;
  if (order && identity.needsEnrollment(Date.now()))
    await enrollPatiently(
      () => enrollBox(settings, order, identity, facts),
      rules.reconnect,
      Math.random,
      ({ code, message }, delayMs) => log.warn({ code, delayMs }, `not enrolled yet: ${message}`),
      signal,
    ).catch((error: unknown) => {
      // A box with an expired certificate has a release to serve; only one that never was enrolled may end.
      if (!identity.enrollment) throw error;
      const { code, message } = asMusterError(error);
      log.error({ code }, `the certificate has expired and the device could not enroll again: ${message}`);
      notices.note(code, `The certificate has expired and the device could not enroll again: ${message}`);
    });
  const { enrollment } = identity;
  if (signal.aborted || !enrollment) return undefined;
  log.info({ device: enrollment.device, server: enrollment.server }, "the device is enrolled");
  const link = new Link(
    {
      device: enrollment.device,
      agentVersion: AGENT_VERSION,
      boot,
      mqttUrl: settings.mqttUrl ?? enrollment.mqttUrl,
      tls: () => identity.tls(),
      http,
      outbox,
      notices,
      facts: () => facts.now(),
      reported: () => engine.state(),
      online: () => engine.retryNow(),
      offer: (directive, source) => engine.offer(directive, source),
      vitals: () => vitalsOf(box, inference),
      log: log.child({ part: "link" }),
      random: Math.random,
      now: Date.now,
      monotonic: () => performance.now(),
      newId,
    },
    // The delay spreads a site that powers up at once; somebody waits for a box that has just enrolled.
    known ? rules : { ...rules, reconnect: { ...rules.reconnect, startDelayMs: 0 } },
  );
  engine.onChange(() => link.stateChanged());
  ends.push(() => link.stop());
  ends.push(
    keepRenewed({
      identity,
      http,
      checkMs: settings.renewCheckSeconds * 1000,
      now: Date.now,
      renewed: () => log.info({ renewAt: new Date(identity.renewAt()) }, "the certificate was renewed"),
      failed: ({ code, message }) => {
        log.warn({ code }, `the certificate could not be renewed: ${message}`);
        notices.note(code, `The certificate could not be renewed: ${message}`);
      },
    }),
  );
  link.start();
  return link;
}

function vitalsOf({ settings, outbox }: Box, inference: Inference) {
  const { rssBytes, restarts } = inference.status();
  return {
    uptimeSeconds: Math.floor(process.uptime()),
    health: {
      ...machineVitals(settings.data),
      runnerRss: rssBytes,
      runnerRestarts: restarts,
      outboxBytes: outbox.position().bytes,
    },
    inference: inference.takeCounters(),
  };
}

/** What `muster-agent status` shows. */
function statusOf({ outbox }: Box, identity: Identity, { inference, engine, facts }: Local) {
  const { enrollment, keys } = identity;
  return {
    version: AGENT_VERSION,
    pid: process.pid,
    uptimeSeconds: Math.floor(process.uptime()),
    device: keys.device,
    enrolled: enrollment
      ? {
          server: enrollment.server,
          mqttUrl: enrollment.mqttUrl,
          at: enrollment.at,
          renewAt: identity.renewAt(),
        }
      : null,
    hardware: facts.now(),
    outbox: outbox.position(),
    reported: engine.state(),
    inference: inference.status(),
  };
}
