import { asMusterError, type MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { Will } from "@muster/shared/protocol/messages";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import { upTopic } from "@muster/shared/protocol/topics";
import { encodeMessage } from "@muster/shared/protocol/wire";
import { Conversation, type DocumentChannel, type Memory } from "./conversation.ts";
import { DocumentPoll } from "./document-poll.ts";
import { LineCounters } from "./line-counters.ts";
import { type LinkEffect, type LinkEvent, type LinkState, stepLink } from "./link-machine.ts";
import { longestSilenceMs, MqttSession } from "./mqtt-session.ts";
import type { LinkPorts, LinkSettings } from "./ports.ts";
import { RecentHeartbeats } from "./recent-heartbeats.ts";

export interface LinkStatus {
  state: LinkState["name"];
  session: string | null;
  /** Since when the state holds, milliseconds since the epoch. */
  since: number;
  /** Why the last connection ended or failed. */
  lastError: { code: string; message: string } | null;
  /** Messages from the control plane that could not be understood or served, since the start. */
  misunderstood: number;
}

/**
 * The device's line to the control plane: MQTT as the fast path with an own reconnect machine, HTTPS polls of
 * its documents as the slow one. Nothing local waits for it.
 */
export class Link {
  readonly #ports: LinkPorts;
  readonly #settings: LinkSettings;
  readonly #polls: Readonly<Record<DocumentChannel, DocumentPoll>>;
  readonly #memory: Memory;
  #state: LinkState = { name: "idle" };
  #since: number;
  #timer: NodeJS.Timeout | undefined;
  #session:
    | { id: string; mqtt: MqttSession; conversation: Conversation; will: string; online: boolean }
    | undefined;
  #lastError: MusterError | undefined;
  #misunderstood = 0;
  #farewell: Promise<void> = Promise.resolve();

  constructor(ports: LinkPorts, settings: LinkSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.#since = ports.now();
    const { monotonic } = ports;
    this.#memory = {
      line: new LineCounters(monotonic),
      heartbeats: new RecentHeartbeats(longestSilenceMs(settings.keepaliveSeconds), monotonic),
    };
    this.#polls = {
      desired: this.#pollOf("desired", settings.pollMs, (text) => ports.offer(text, "https")),
      // Nothing waits for a policy: without MQTT it is asked for as seldom as with it.
      policy: this.#pollOf("policy", settings.pollOnlineMs, (text) => ports.offerPolicy(text)),
    };
    ports.outbox.onAppend(() => this.#online()?.recordsAdded());
  }

  start(): void {
    this.#step("start");
    for (const poll of Object.values(this.#polls)) poll.start();
  }

  /** Says goodbye and ends; resolves when the connection is closed. */
  async stop(): Promise<void> {
    for (const poll of Object.values(this.#polls)) poll.stop();
    this.#step("stop");
    await this.#farewell;
  }

  /** Tells that the reported state has changed. */
  stateChanged(): void {
    this.#online()?.stateChanged();
  }

  status(): LinkStatus {
    return {
      state: this.#state.name,
      session: this.#session?.id ?? null,
      since: this.#since,
      lastError: this.#lastError ? { code: this.#lastError.code, message: this.#lastError.message } : null,
      misunderstood: this.#misunderstood,
    };
  }

  #pollOf(channel: DocumentChannel, downMs: number, offer: (text: string) => Promise<string>): DocumentPoll {
    const { http, random, log } = this.#ports;
    return new DocumentPoll({
      http,
      path: DEVICE_API[channel],
      downMs,
      upMs: this.#settings.pollOnlineMs,
      random,
      offer,
      synced: (succeeded) => this.#memory.line.synced(succeeded),
      failed: ({ code, message }) => log.info({ code, message, channel }, "a document could not be polled"),
    });
  }

  #online(): Conversation | undefined {
    return this.#state.name === "online" ? this.#session?.conversation : undefined;
  }

  #step(event: LinkEvent): void {
    const before = this.#state.name;
    const { state, effects } = stepLink(this.#state, event, this.#settings.reconnect, this.#ports.random());
    this.#state = state;
    if (state.name !== before) {
      this.#since = this.#ports.now();
      this.#ports.log.info(
        { ...state, ...(this.#session && { session: this.#session.id }) },
        `link is ${state.name}`,
      );
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LinkEffect): void {
    clearTimeout(this.#timer);
    if (effect.do === "connect") this.#connect();
    else if (effect.do === "wait") this.#timer = setTimeout(() => this.#step("due"), effect.ms);
    else if (effect.do === "await-stable")
      this.#timer = setTimeout(() => this.#step("stable"), this.#settings.stableAfterMs);
    else this.#farewell = this.#sayGoodbye();
  }

  #connect(): void {
    const { device, tls, mqttUrl, newId, monotonic } = this.#ports;
    const id = newId();
    const will = encodeMessage(Will, { v: PROTOCOL_VERSION, session: id });
    try {
      const mqtt = new MqttSession(
        {
          url: mqttUrl,
          device,
          tls: tls(),
          will,
          keepaliveSeconds: this.#settings.keepaliveSeconds,
          connectTimeoutMs: this.#settings.connectTimeoutMs,
          monotonic,
        },
        {
          online: () => this.#onOnline(),
          message: (topic, payload) => this.#onMessage(topic, payload),
          lost: (reason) => this.#onLost(reason),
        },
      );
      const conversation = new Conversation(
        this.#ports,
        this.#settings,
        this.#memory,
        id,
        // A publish that fails is told by the end of the session; what matters is sent again in the next one.
        (topic, payload, qos) => {
          mqtt.publish(topic, payload, qos).catch(() => undefined);
        },
        (channel) => this.#polls[channel].askSoon(),
      );
      this.#session = { id, mqtt, conversation, will, online: false };
    } catch (error) {
      this.#onLost(asMusterError(error));
    }
  }

  #onOnline(): void {
    if (!this.#session) return;
    this.#session.online = true;
    this.#memory.line.synced(true);
    this.#memory.line.setConnected(true);
    this.#lastError = undefined;
    this.#step("connected");
    for (const poll of Object.values(this.#polls)) poll.setOnline(true);
    this.#session.conversation.begin();
    this.#ports.online();
  }

  #onLost(reason: MusterError): void {
    if (!this.#session?.online) this.#memory.line.synced(false);
    this.#memory.line.setConnected(false);
    this.#session?.conversation.end();
    this.#session = undefined;
    this.#lastError = reason;
    this.#ports.log.info({ code: reason.code, reason: reason.message }, "the MQTT connection ended");
    for (const poll of Object.values(this.#polls)) poll.setOnline(false);
    this.#step("lost");
  }

  #onMessage(topic: string, payload: Buffer): void {
    try {
      this.#session?.conversation.hear(topic, payload);
    } catch (error) {
      const { code, message } = asMusterError(error);
      this.#misunderstood += 1;
      if (this.#ports.notices.note(code, message))
        this.#ports.log.warn({ code, reason: message, topic: topic.slice(0, 200) }, "a message was dropped");
    }
  }

  /** The will is for broken connections; an orderly end says the same by itself. */
  async #sayGoodbye(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session?.online) session.conversation.sayLast();
    session?.conversation.end();
    if (!session?.online) {
      session?.mqtt.destroy();
      return;
    }
    const said = session.mqtt.publish(upTopic(this.#ports.device, "will"), session.will, 1);
    const patience = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref());
    await Promise.race([said.catch(() => undefined), patience]);
    const closed = session.mqtt.close();
    await Promise.race([closed, patience]);
    session.mqtt.destroy();
  }
}

/** How long an orderly end may take, milliseconds. */
const GOODBYE_MS = 2000;
