import { join } from "node:path";
import { asMusterError, type ErrorCode, MusterError } from "@muster/shared/errors";
import { type Box, enrollBox, identityOf, newId, openBox, openFacts, socketOf } from "./box.ts";
import { measureOnce } from "./choice/measure-once.ts";
import {
  inferenceSettings,
  linkSettings,
  measureLimits,
  missingSocket,
  powerSettings,
  shadowSettings,
  updateSettings,
  uploaderSettings,
} from "./config/module-settings.ts";
import type { Settings } from "./config/settings.ts";
import { DriftWatch } from "./drift/drift-watch.ts";
import { exampleSpool } from "./examples/box-capture.ts";
import { Spool } from "./examples/spool.ts";
import { Uploader } from "./examples/uploader.ts";
import { Feeder } from "./feeder/feeder.ts";
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
import { Power } from "./power/power.ts";
import { Shadowing } from "./shadow/shadowing.ts";
import { ownDirectory, privateDirectory } from "./storage/files.ts";
import { systemClock } from "./update/clock.ts";
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
    const box = await openBox(settings, log);
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
  power: Power;
  feeder: Feeder | undefined;
}

async function runLocally(box: Box, identity: Identity, log: Log, ends: (() => unknown)[]): Promise<Local> {
  const { settings, outbox, notices, database } = box;
  const facts = await openFacts(settings, box.file, () =>
    log.info({ facts: facts.now() }, "the box has changed"),
  );
  const noSocket = missingSocket(settings);
  if (noSocket !== undefined) {
    log.warn({ code: "settings.invalid" }, noSocket);
    notices.note("settings.invalid", noSocket);
  }
  // The owner of the box took the consent back: what was kept under it goes at once, online or not.
  if (!examplesOf(box) && box.fileFault === null) await new Spool(join(settings.data, "examples"), 0).clear();
  const drift = new DriftWatch({
    database,
    outbox,
    now: Date.now,
    failed: ({ code, message }) => notices.note(code, `A drift window could not be stored: ${message}`),
  });
  const inference = new Inference({
    version: AGENT_VERSION,
    settings: { ...inferenceSettings(settings), examples: examplesOf(box) },
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
    energyRate: () => power.energyRate.mjPerCpuMs,
    onReport: (report) => {
      if (report.kind === "drift") drift.take(report);
      else if (report.kind === "notice") notices.note(report.notice.code, report.notice.message);
    },
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
    shadow: new Shadowing({
      device: identity.keys.device,
      key: identity.keys.signing,
      clock: systemClock,
      availableBytes: () => process.availableMemory(),
      settings: shadowSettings(settings),
      log: log.child({ part: "shadow" }),
    }),
    measure: measureOnce(database, Date.now, measureLimits(settings)),
    runtimes: box.file.runtimes ?? {},
    facts: () => facts.now(),
    log: log.child({ part: "update" }),
    random: Math.random,
    settings: updateSettings(settings),
  });
  ends.push(() => engine.stop());
  const power: Power = new Power({
    device: identity.keys.device,
    database,
    keysFor: (keyId) => engine.keysFor(keyId),
    box: box.file.power,
    ...powerSettings(settings),
    apply: (conditions) => inference.setConditions(conditions),
    retune: (session) => inference.recycle("heat or power changed how many threads it may use", session),
    onEvent: (code, message) => tellEvent(box, log, code, message),
    onNotice: (code, message) => box.notices.note(code, message),
    log: log.child({ part: "power" }),
    now: Date.now,
    monotonic: () => performance.now(),
  });
  ends.push(() => power.stop());
  await engine.start();
  power.start();
  const feeder = feederOf(box, identity, inference, log);
  if (feeder) ends.push(() => feeder.stop());
  feeder?.start();
  return { facts, inference, http, engine, power, feeder };
}

/** The sources and sinks that the owner of the box declares; a box without any has no process for them. */
function feederOf(box: Box, identity: Identity, inference: Inference, log: Log): Feeder | undefined {
  const { sources = [], sinks = [] } = box.file;
  if (sources.length === 0) return undefined;
  const stateDir = join(box.settings.data, "feeder");
  return new Feeder({
    order: { device: identity.keys.device, stateDir, sources, sinks },
    runner: () => inference.status().endpoint,
    event: (code, message) => box.notices.note(code, message),
    log: log.child({ part: "feeder" }),
  });
}

/** Enrolls if need be and opens the line. @returns undefined when it was stopped before */
async function connect(
  box: Box,
  identity: Identity,
  { facts, inference, http, engine, power }: Local,
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
      offerPolicy: (policy) => power.offer(policy),
      vitals: () => vitalsOf(box, inference, power),
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
  startUploads(box, http, link, log, ends);
  return link;
}

const examplesOf = ({ settings, file }: Box) => exampleSpool(join(settings.data, "examples"), file.capture);

/** Sends hard examples while no more than a batch of records waits to be sent: those go first. */
function startUploads(box: Box, http: DeviceHttp, link: Link, log: Log, ends: (() => unknown)[]): void {
  const { settings, outbox } = box;
  const examples = examplesOf(box);
  if (!examples) return;
  const uploader = new Uploader(
    {
      spool: new Spool(examples.directory, examples.maxBytes),
      http,
      idle: () => {
        const { lastSeq, ackedSeq } = outbox.position();
        return link.status().state === "online" && lastSeq - ackedSeq <= settings.batchRecords;
      },
      event: (code, message) => void box.notices.note(code, message),
      log: log.child({ part: "examples" }),
      random: Math.random,
    },
    uploaderSettings(settings),
  );
  uploader.start();
  ends.push(() => uploader.stop());
}

function vitalsOf({ settings, outbox }: Box, inference: Inference, power: Power) {
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
function statusOf(
  { outbox, fileFault }: Box,
  identity: Identity,
  { inference, engine, facts, power, feeder }: Local,
) {
  const { enrollment, keys } = identity;
  return {
    version: AGENT_VERSION,
    boxFileFault: fileFault,
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
    power: power.status(),
    feeder: feeder?.status() ?? null,
  };
}

/** Each of these counts by itself: none stands for others of its kind. */
function tellEvent({ outbox }: Box, log: Log, code: ErrorCode, message: string): void {
  log.info({ code }, message);
  try {
    outbox.append([{ kind: "event", at: Date.now(), body: { code, message: message.slice(0, 1000) } }]);
  } catch (error) {
    log.warn({ code: asMusterError(error).code }, "an event could not be stored");
  }
}
