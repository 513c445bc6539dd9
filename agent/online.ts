import { join } from "node:path";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Attestation } from "./attestation/attestation.ts";
import { type Box, enrollBox, examplesOf, newId } from "./box.ts";
import type { Commands } from "./commands/commands.ts";
import { linkSettings, uploaderSettings } from "./config/module-settings.ts";
import type { Settings } from "./config/settings.ts";
import { Spool } from "./examples/spool.ts";
import { Uploader } from "./examples/uploader.ts";
import { enrollPatiently } from "./identity/enroll-patiently.ts";
import type { Identity } from "./identity/identity.ts";
import { keepRenewed } from "./identity/renewal.ts";
import type { DeviceHttp } from "./link/device-http.ts";
import { Link } from "./link/link.ts";
import type { Ends, Local } from "./local.ts";
import type { Log } from "./log.ts";
import { SecretFiles } from "./secrets/secret-files.ts";
import { SecretPoll } from "./secrets/secret-poll.ts";
import { vitalsOf } from "./status.ts";
import { AGENT_VERSION } from "./version.ts";

interface EnrollmentOrder {
  server: string;
  token: string;
}

/** What to enroll with, if there is a token. @throws MusterError `enrollment.missing`, `settings.invalid` */
export function enrollmentOrder(settings: Settings, identity: Identity): EnrollmentOrder | undefined {
  const { token } = settings;
  const server = settings.server ?? identity.enrollment?.server;
  if (token === null && !identity.enrollment) throw new MusterError("enrollment.missing");
  if (token === null) return undefined;
  if (server === undefined) throw new MusterError("settings.invalid", "--token needs --server.");
  return { server, token };
}

/** Enrolls if need be and opens the line; the keys are open by then. @returns undefined when it was stopped before */
export async function connect(
  box: Box,
  identity: Identity,
  { facts, inference, http, engine, power }: Local,
  attestation: Attestation,
  commands: Commands,
  log: Log,
  ends: Ends,
  signal: AbortSignal,
): Promise<Link | undefined> {
  const { settings, outbox, notices, boot } = box;
  const rules = linkSettings(settings);
  const order = enrollmentOrder(settings, identity);
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
  const secrets = secretPoll(box, identity, http, rules.pollOnlineMs, log);
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
      online: () => {
        engine.retryNow();
        secrets.askNow();
      },
      offer: (directive, source) => engine.offer(directive, source),
      offerPolicy: (policy) => power.offer(policy),
      attest: (challenge) => attestation.answer(challenge),
      command: (payload) => void commands.offer(payload),
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
  secrets.start();
  ends.push(() => secrets.stop());
  link.start();
  startUploads(box, http, link, log, ends);
  return link;
}

/** Fetches the secrets of this box. */
function secretPoll(
  { settings, notices }: Box,
  { keys, device }: Identity,
  http: DeviceHttp,
  intervalMs: number,
  log: Log,
): SecretPoll {
  return new SecretPoll({
    http,
    files: new SecretFiles(join(settings.data, "secrets"), device, keys.sealing),
    intervalMs,
    random: Math.random,
    changed: (change) => log.info({ ...change }, "the secrets of this box have changed"),
    failed: ({ code, message }) => {
      log.warn({ code }, `the secrets of this box could not be fetched: ${message}`);
      // The line tells itself when it is down.
      if (code.startsWith("secret.")) notices.note(code, message);
    },
  });
}

/** Sends hard examples while no more than a batch of records waits to be sent: those go first. */
function startUploads(box: Box, http: DeviceHttp, link: Link, log: Log, ends: Ends): void {
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
