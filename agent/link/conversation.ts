import { asMusterError, MusterError } from "@muster/shared/errors";
import { Challenge, EvidenceMessage } from "@muster/shared/protocol/evidence";
import { Ack, Birth, Heartbeat, StateMessage } from "@muster/shared/protocol/messages";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import { type DownChannel, downTopic, type UpChannel, upTopic } from "@muster/shared/protocol/topics";
import { decodeMessage, encodeMessage, MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import { Drain } from "./drain.ts";
import type { LineCounters } from "./line-counters.ts";
import type { LinkPorts, LinkSettings } from "./ports.ts";
import type { RecentHeartbeats } from "./recent-heartbeats.ts";

/** Changes of state that come together are told together, milliseconds. */
const COALESCE_MS = 50;

/** What outlives a session. */
export interface Memory {
  readonly line: LineCounters;
  readonly heartbeats: RecentHeartbeats;
}

/** Retained documents for this device: the newest one holds. */
export type DocumentChannel = Extract<DownChannel, "desired" | "policy">;

const WORDS: Record<DocumentChannel, string> = { desired: "directive", policy: "power policy" };

type Publish = (topic: string, payload: string, qos: 0 | 1) => void;

/** What is said in one session, from birth to its end. */
export class Conversation {
  readonly #ports: LinkPorts;
  readonly #memory: Memory;
  readonly #session: string;
  readonly #publish: Publish;
  readonly #drain: Drain;
  readonly #askAgain: (channel: DocumentChannel) => void;
  readonly #heartbeatMs: number;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  #stateSeq = 0;
  #heartbeatSeq = 0;
  #over = false;

  constructor(
    ports: LinkPorts,
    settings: LinkSettings,
    memory: Memory,
    session: string,
    publish: Publish,
    askAgain: (channel: DocumentChannel) => void,
  ) {
    this.#ports = ports;
    this.#memory = memory;
    this.#session = session;
    this.#publish = publish;
    this.#askAgain = askAgain;
    this.#heartbeatMs = settings.heartbeatMs;
    this.#drain = new Drain(
      {
        outbox: ports.outbox,
        publish: (batch) => this.#up("batch", batch, 1),
        failed: ({ code, message }) => ports.log.warn({ code, reason: message }, "the outbox cannot be read"),
        monotonic: ports.monotonic,
      },
      settings.drain,
      session,
    );
  }

  /** Says who we are and how we are, sends what is kept or may be lost, and goes on with heartbeats. */
  begin(): void {
    this.#birth();
    this.#state();
    for (const payload of this.#memory.heartbeats.again()) this.#up("heartbeat", payload, 0);
    this.#drain.pump();
    // A random phase: boxes that came back together must not go on in step.
    this.#heartbeatTimer = setTimeout(() => this.#beat(), this.#heartbeatMs * this.#ports.random());
  }

  /** Says what was counted since the last heartbeat: the agent is about to stop. */
  sayLast(): void {
    this.#beat();
  }

  end(): void {
    this.#over = true;
    this.#drain.stop();
    clearTimeout(this.#heartbeatTimer);
    clearTimeout(this.#stateTimer);
  }

  stateChanged(): void {
    if (this.#over || this.#stateTimer) return;
    this.#stateTimer = setTimeout(() => {
      this.#stateTimer = undefined;
      this.#state();
    }, COALESCE_MS);
  }

  recordsAdded(): void {
    this.#drain.wake();
  }

  /**
   * Takes a message of the control plane.
   * @throws MusterError of the `wire.` family for what cannot be understood or served, of the `storage.` family for an
   *   acknowledgement that cannot be stored; it changed nothing
   */
  hear(topic: string, payload: Buffer): void {
    const { device } = this.#ports;
    if (topic === downTopic(device, "ack")) this.#acknowledge(decodeMessage(Ack, payload));
    else if (topic === downTopic(device, "desired")) this.#hearDocument("desired", payload);
    else if (topic === downTopic(device, "policy")) this.#hearDocument("policy", payload);
    else if (topic === downTopic(device, "command")) {
      // Empty where the broker tells that there is none any more.
      if (payload.byteLength > 0) this.#ports.command(payload);
    } else if (topic === downTopic(device, "challenge"))
      this.#hearChallenge(decodeMessage(Challenge, payload));
    else
      throw new MusterError("wire.unsupported", `This agent serves no messages on ${topic.slice(0, 200)}.`);
  }

  #hearChallenge(challenge: Challenge): void {
    if (challenge.session !== this.#session) throw new MusterError("attestation.nonce-foreign");
    void this.#answer(challenge);
  }

  /** An answer that comes after the end of the session waits for the next challenge. */
  async #answer(challenge: Challenge): Promise<void> {
    for (const evidence of await this.#ports.attest(challenge)) {
      if (this.#over) return;
      this.#up("evidence", encodeMessage(EvidenceMessage, { v: PROTOCOL_VERSION, evidence }), 1);
    }
  }

  #hearDocument(channel: DocumentChannel, payload: Buffer): void {
    if (payload.byteLength > MAX_PAYLOAD_BYTES)
      throw new MusterError("wire.oversized", `The ${WORDS[channel]} has ${payload.byteLength} bytes.`);
    if (payload.byteLength > 0) void this.#offer(channel, payload);
  }

  /** A document that was not taken is asked for again over HTTPS. */
  async #offer(channel: DocumentChannel, payload: Buffer): Promise<void> {
    const { offer, offerPolicy, notices } = this.#ports;
    try {
      const verdict = channel === "desired" ? await offer(payload, "mqtt") : await offerPolicy(payload);
      if (verdict === "deferred") this.#askAgain(channel);
    } catch (error) {
      const { code, message } = asMusterError(error);
      notices.note(code, `A ${WORDS[channel]} could not be taken: ${message}`);
      this.#askAgain(channel);
    }
  }

  #acknowledge(ack: Ack): void {
    const taken = this.#ports.outbox.acknowledge(ack.outbox, ack.upTo);
    if (taken === "trimmed") this.#drain.acknowledged(ack.upTo);
    if (taken === "rotated") this.#drain.restart();
  }

  #birth(): void {
    const { boot, agentVersion, facts, reported, outbox, now } = this.#ports;
    const { id, lastSeq, ackedSeq, evicted } = outbox.position();
    const birth = {
      v: PROTOCOL_VERSION,
      session: this.#session,
      boot,
      at: now(),
      agentVersion,
      hardware: facts(),
      state: reported(),
      outbox: { id, lastSeq, ackedSeq, evicted },
    } as const;
    this.#up("birth", encodeMessage(Birth, birth), 1);
  }

  #state(): void {
    this.#stateSeq += 1;
    const { now, reported } = this.#ports;
    const state = { seq: this.#stateSeq, at: now(), state: reported() };
    this.#up(
      "state",
      encodeMessage(StateMessage, { v: PROTOCOL_VERSION, session: this.#session, ...state }),
      1,
    );
  }

  #beat(): void {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => this.#beat(), this.#heartbeatMs);
    this.#heartbeatSeq += 1;
    const { vitals, now } = this.#ports;
    const beat = { session: this.#session, seq: this.#heartbeatSeq, at: now(), ...vitals() };
    const payload = encodeMessage(Heartbeat, {
      v: PROTOCOL_VERSION,
      ...beat,
      agent: this.#memory.line.take(),
    });
    this.#memory.heartbeats.sends(payload);
    this.#up("heartbeat", payload, 0);
  }

  #up(channel: UpChannel, payload: string, qos: 0 | 1): void {
    this.#publish(upTopic(this.#ports.device, channel), payload, qos);
  }
}
