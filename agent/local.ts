import { join } from "node:path";
import { asMusterError, type ErrorCode } from "@muster/shared/errors";
import { type Box, examplesOf, openFacts } from "./box.ts";
import { measureOnce } from "./choice/measure-once.ts";
import {
  inferenceSettings,
  measureLimits,
  missingSocket,
  powerSettings,
  shadowSettings,
  updateSettings,
} from "./config/module-settings.ts";
import { DriftWatch } from "./drift/drift-watch.ts";
import { Spool } from "./examples/spool.ts";
import { Feeder } from "./feeder/feeder.ts";
import type { Facts } from "./health/facts.ts";
import type { Identity } from "./identity/identity.ts";
import { Inference } from "./inference/inference.ts";
import { ModelKeys } from "./keys/model-keys.ts";
import { DeviceHttp } from "./link/device-http.ts";
import type { Log } from "./log.ts";
import { Power } from "./power/power.ts";
import { Shadowing } from "./shadow/shadowing.ts";
import { systemClock } from "./update/clock.ts";
import { UpdateEngine } from "./update/engine.ts";
import { AGENT_VERSION } from "./version.ts";

/** What ends the parts that have begun. */
export type Ends = (() => unknown)[];

/** What runs without a network. */
export interface Local {
  facts: Facts;
  inference: Inference;
  http: DeviceHttp;
  engine: UpdateEngine;
  power: Power;
  feeder: Feeder | undefined;
}

/**
 * Starts what runs without a network: inference, updates, power, and the sources of the box.
 * @param ends takes what ends each part, in the order in which they began
 */
export async function runLocally(box: Box, identity: Identity, log: Log, ends: Ends): Promise<Local> {
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
    openKeys: (keys) => modelKeys.open(keys),
    onChange: () => engine.runnerChanged(),
  });
  ends.push(() => inference.stop());
  const http = new DeviceHttp({
    server: () => settings.server ?? identity.place?.server ?? "",
    tls: () => identity.tls(),
    timeoutMs: settings.httpTimeoutSeconds * 1000,
  });
  ends.push(() => http.close());
  const modelKeys: ModelKeys = new ModelKeys({
    device: identity.device,
    secretKey: () => identity.keys.sealing.secretKey,
    database,
    http,
    keysFor: (keyId) => engine.keysFor(keyId),
    now: Date.now,
    monotonic: () => performance.now(),
    log: log.child({ part: "keys" }),
    failed: ({ code, message }) => {
      log.warn({ code }, `leases of model keys could not be renewed: ${message}`);
      if (code.startsWith("key."))
        notices.note(code, `Leases of model keys could not be renewed: ${message}`);
    },
  });
  const engine: UpdateEngine = new UpdateEngine({
    device: identity.device,
    dataDir: settings.data,
    database,
    outbox,
    http,
    inference,
    shadow: new Shadowing({
      device: identity.device,
      key: () => identity.opened.then(() => identity.keys.signing),
      clock: systemClock,
      availableBytes: () => process.availableMemory(),
      settings: shadowSettings(settings),
      log: log.child({ part: "shadow" }),
    }),
    measure: measureOnce(database, Date.now, measureLimits(settings), modelKeys.open),
    obtainKeys: (keys) => modelKeys.obtain(keys),
    runtimes: box.file.runtimes ?? {},
    facts: () => facts.now(),
    log: log.child({ part: "update" }),
    random: Math.random,
    settings: updateSettings(settings),
  });
  ends.push(() => engine.stop());
  const power: Power = new Power({
    device: identity.device,
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
  void identity.opened.then(() =>
    modelKeys.start(settings.renewCheckSeconds * 1000, () => engine.neededKeys()),
  );
  ends.push(() => modelKeys.stop());
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
    order: { device: identity.device, stateDir, sources, sinks },
    runner: () => inference.status().endpoint,
    event: (code, message) => box.notices.note(code, message),
    log: log.child({ part: "feeder" }),
  });
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
