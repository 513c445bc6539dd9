import type { UpMessage } from "@muster/control-plane/ingest/decode";
import { decodeUp } from "@muster/control-plane/ingest/decode";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { type DirectivePayload, signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { Fault } from "../../simulator/device/conduct.ts";
import type { Effect } from "../../simulator/device/effects.ts";
import { DeviceModel } from "../../simulator/device/model.ts";
import { type DeviceSettings, defaultDeviceSettings } from "../../simulator/device/settings.ts";
import { layOut } from "../../simulator/fleet/layout.ts";

const DEVICE = `d${"a".repeat(20)}`;
const KEY = signingKeyFrom(Buffer.alloc(32, 7));
const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;

export const release = (sequence: number): ReleaseRef => ({
  name: "detector",
  version: `1.${sequence}.0`,
  sequence,
  digest: digest(String(sequence)),
});

const manifest = (sequence: number): ReleaseManifest => ({
  schema: "muster.release/1",
  name: "detector",
  version: `1.${sequence}.0`,
  sequence,
  components: [
    {
      type: "model",
      name: "detector",
      version: `1.${sequence}.0`,
      variants: ["cuda", "cpu"].map((provider) => ({
        id: `int8-${provider}`,
        precision: "int8" as const,
        requires: { providers: [provider] },
        model: { name: "m.onnx", digest: digest(provider === "cpu" ? "c" : "d"), size: 1 },
        golden: { name: "g.json", digest: digest("e"), size: 1 },
        reference: { name: "r.json", digest: digest("f"), size: 1 },
      })),
    },
  ],
  probation: {
    minSeconds: 5,
    deadlineSeconds: 60,
    minInferences: 5,
    maxErrorRate: 0.2,
    maxP95Ms: 1000,
    maxCrashes: 0,
  },
});

/** A device model with a clock of the test and a control plane that only listens. */
export class Rig {
  readonly model: DeviceModel;
  readonly faults: Fault[] = [];
  /** Everything that was published, decoded as the control plane does it. */
  heard: UpMessage[] = [];
  readonly effects: Effect[] = [];
  /** What was left undone: connections that the test has to answer. */
  connecting = false;
  readonly bornAt = 1_800_000_000_000;
  now = this.bornAt;

  constructor(settings: Partial<DeviceSettings> = {}, seed = 1) {
    const [profile] = layOut(1, 1, seed).devices;
    this.model = new DeviceModel(
      DEVICE,
      profile!,
      { [KEY.keyId]: KEY.publicKey },
      {
        run: "run-1",
        settings: { ...defaultDeviceSettings, ...settings },
        faults: this.faults,
        manifests: new Map([1, 2, 3].map((sequence) => [release(sequence).digest, manifest(sequence)])),
      },
      KEY,
    );
    this.do(this.model.start(release(1), this.now));
  }

  do(effects: readonly Effect[]): void {
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.do === "publish") this.heard.push(decodeUp(effect.channel, Buffer.from(effect.payload)));
      if (effect.do === "connect") this.connecting = true;
      if (effect.do === "close") this.connecting = false;
    }
  }

  /** Lets time pass; connections come about at once. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      if (this.connecting) this.answer();
      const { nextAt } = this.model;
      if (nextAt > until) break;
      this.now = Math.max(this.now, nextAt);
      this.do(this.model.wake(this.now));
    }
    this.now = until;
  }

  answer(): void {
    this.connecting = false;
    this.do(this.model.connected(this.now));
  }

  /** The connection breaks, and with it what was on its way: all batches that were not acknowledged. */
  lose(): void {
    this.connecting = false;
    const { ackedSeq } = this.model.outbox;
    this.heard = this.heard.filter(
      (message) => message.channel !== "batch" || (message.body.records.at(-1)?.seq ?? 0) <= ackedSeq,
    );
    this.do(this.model.lost(this.now));
  }

  acknowledge(upTo: number): void {
    const ack = { v: 1, outbox: this.model.outbox.id, upTo };
    this.do(this.model.hear("ack", Buffer.from(JSON.stringify(ack)), this.now));
  }

  direct(sequence: number | null, generation: number, more: Partial<DirectivePayload> = {}, key = KEY): void {
    const payload: DirectivePayload = {
      v: 1,
      device: DEVICE,
      generation,
      issuedAt: this.now,
      notAfter: this.now + 86_400_000,
      rollout: "rollout-1",
      release: sequence === null ? null : release(sequence),
      floor: 0,
      shadow: null,
      ...more,
    };
    const directive = JSON.stringify(signDirective(payload, key));
    this.do(this.model.hear("desired", Buffer.from(directive), this.now));
  }

  /** Records in the order in which they were sent, again and again where they were. */
  sent() {
    return this.heard.flatMap((message) => (message.channel === "batch" ? message.body.records : []));
  }

  /** Phases and outcomes that update records tell, each record once. */
  journal(): string[] {
    const told = new Map<number, string>();
    for (const { seq, kind, body } of this.sent())
      if (kind === "update") told.set(seq, [body.phase, body.outcome].filter(Boolean).join(" "));
    return [...told.values()];
  }

  /** What the newest birth and the newest state said. */
  birth() {
    return this.heard.flatMap((message) => (message.channel === "birth" ? [message.body] : [])).at(-1);
  }

  state() {
    return this.heard.flatMap((message) => (message.channel === "state" ? [message.body.state] : [])).at(-1);
  }

  beats() {
    return this.heard.flatMap((message) => (message.channel === "heartbeat" ? [message.body] : []));
  }
}
