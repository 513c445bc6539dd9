import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Challenge,
  type Evidence,
  EvidenceMessage,
  isEvidenceBy,
  linkDigestOf,
} from "@muster/shared/protocol/evidence";
import { validate } from "@muster/shared/protocol/validate";
import type { Fleet } from "../link/fleet.ts";
import { TestBroker } from "../link/test-broker.ts";
import { AgentProcess, command } from "./agent-process.ts";
import { serveDevices } from "./control-plane.ts";

const QUICK = ["--inference-port", "0", "--start-delay-seconds", "0", "--reconnect-max-seconds", "0.2"];

/** A real agent that is challenged over a real broker. */
export class AttestationScene {
  readonly data = mkdtempSync(join(tmpdir(), "muster-attest-"));
  readonly broker: TestBroker;
  readonly devices: Awaited<ReturnType<typeof serveDevices>>;
  readonly #agents: AgentProcess[] = [];
  #device = "";

  private constructor(broker: TestBroker, devices: Awaited<ReturnType<typeof serveDevices>>) {
    this.broker = broker;
    this.devices = devices;
    broker.onUp = (channel, message) => {
      const upTo = message.records?.at(-1).seq;
      if (channel === "batch")
        void broker.down(
          "ack",
          JSON.stringify({ v: 1, outbox: message.outbox, upTo }),
          false,
          this.#device || undefined,
        );
    };
  }

  static async open(fleet: Fleet): Promise<AttestationScene> {
    const broker = await TestBroker.start(fleet);
    return new AttestationScene(broker, await serveDevices(fleet, broker));
  }

  /** Starts the agent, and resolves when it is online. */
  async start(...args: string[]): Promise<AgentProcess> {
    const born = this.broker.of("birth").length;
    const agent = this.run(...args);
    await this.broker.until(() => this.broker.of("birth").length > born);
    this.#device = (await this.status()).device;
    return agent;
  }

  run(...args: string[]): AgentProcess {
    const joining = ["--server", this.devices.url, "--token", this.devices.token];
    const agent = new AgentProcess(["--data", this.data, ...QUICK, ...joining, ...args]);
    this.#agents.push(agent);
    return agent;
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read it as what it ought to be.
  async status(): Promise<any> {
    return JSON.parse((await command("status", "--data", this.data, "--json")).out);
  }

  /** Links that came as answers, and those that came by the outbox; repeats included. */
  answers(): Evidence[] {
    return this.broker
      .of("evidence")
      .map((message) => validate(EvidenceMessage, message, "wire.malformed").evidence as Evidence);
  }

  byItself(): Evidence[] {
    return this.broker
      .of("batch")
      .flatMap(({ records }) => records)
      .filter(({ kind }) => kind === "evidence")
      .map(({ body }) => body);
  }

  events(): { code: string; message: string }[] {
    return this.broker
      .of("batch")
      .flatMap(({ records }) => records)
      .filter(({ kind }) => kind === "event")
      .map(({ body }) => body);
  }

  /** Sends a challenge into the newest session. @param nonce one hex digit that makes all of it */
  async ask(nonce: string, chain: number | null, more: Partial<Challenge> = {}): Promise<void> {
    const asked: Challenge = {
      v: 1,
      session: this.broker.of("birth").at(-1).session,
      nonce: nonce.repeat(64),
      notAfter: Date.now() + 60_000,
      pcrs: { bank: "sha256", indices: [0, 1, 7] },
      have: { bootLog: null, ima: 0, chain },
      ...more,
    };
    await this.broker.down("challenge", JSON.stringify(asked), false, this.#device);
  }

  /** As `ask`, and waits for the answer. */
  async challenge(nonce: string, chain: number | null, more: Partial<Challenge> = {}): Promise<Evidence> {
    const told = this.answers().length;
    await this.ask(nonce, chain, more);
    const answer = () =>
      this.answers()
        .slice(told)
        .find(({ payload }) => payload.nonce === nonce.repeat(64));
    await this.broker.until(() => answer() !== undefined);
    return answer()!;
  }

  /** All links that ever came, by index; throws where two have one index, or one does not follow the one before. */
  chain(): Evidence[] {
    const publicKey = this.devices.enrolled[0]?.signingKey ?? "";
    const links: Evidence[] = [];
    for (const link of [...this.byItself(), ...this.answers()]) {
      const { index } = link.payload.chain;
      assert.ok(isEvidenceBy(link, { [link.keyId]: publicKey }), `link ${index} is signed`);
      if (links[index]) assert.deepEqual(link, links[index], `one link with index ${index}`);
      links[index] = link;
    }
    for (let index = 0; index < links.length; index += 1) {
      const [link, before] = [links[index], links[index - 1]];
      assert.ok(link, `link ${index} came`);
      assert.equal(link.payload.chain.previous, before ? linkDigestOf(before.payload) : null);
    }
    return links;
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.splice(0)) await agent.end("SIGKILL");
    await this.devices.stop();
    await this.broker.stop();
    rmSync(this.data, { recursive: true });
  }
}
