import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { writeDurably } from "../storage/durable-files.ts";
import type { Authority } from "./authority.ts";
import { generateKey } from "./rsa-key.ts";

const SERVER_DAYS = 397;

/** Options of a TLS server, PEM. */
export interface ServerContext {
  key: string;
  cert: string;
  ca: string;
}

/** What both listeners show to devices: a certificate by the fleet's CA, renewed while they run. */
export class ServerIdentity {
  readonly #authority: Authority;
  readonly #directory: string;
  readonly #hosts: readonly string[];
  readonly #listeners: ((context: ServerContext) => void)[] = [];
  #key = "";
  #certificate = "";

  private constructor(authority: Authority, directory: string, hosts: readonly string[]) {
    this.#authority = authority;
    this.#directory = directory;
    this.#hosts = hosts;
  }

  static async open(
    authority: Authority,
    directory: string,
    hosts: readonly string[],
    now: number,
  ): Promise<ServerIdentity> {
    const identity = new ServerIdentity(authority, directory, hosts);
    try {
      identity.#key = await readFile(join(directory, "server.key"), "utf8");
      identity.#certificate = await readFile(join(directory, "server.crt"), "utf8");
    } catch {
      // Neither file holds anything that cannot be made again.
    }
    await identity.renewIfDue(now);
    return identity;
  }

  secureContext(): ServerContext {
    return { key: this.#key, cert: this.#certificate, ca: this.#authority.certificate };
  }

  onRenewed(listener: (context: ServerContext) => void): void {
    this.#listeners.push(listener);
  }

  /** Makes a new key and certificate when two thirds of the life are over or the names changed. */
  async renewIfDue(now: number): Promise<boolean> {
    if (stillGood(this.#certificate, this.#key, this.#authority.certificate, this.#hosts, now)) return false;
    const key = await generateKey(2048);
    const publicKey = createPublicKey(createPrivateKey(key));
    const issued = this.#authority.issueServer(this.#hosts, publicKey, SERVER_DAYS, now);
    await writeDurably(join(this.#directory, "server.key"), key, 0o600);
    await writeDurably(join(this.#directory, "server.crt"), issued.pem, 0o644);
    this.#key = key;
    this.#certificate = issued.pem;
    for (const listener of this.#listeners) listener(this.secureContext());
    return true;
  }
}

function stillGood(pem: string, key: string, ca: string, hosts: readonly string[], now: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const from = Date.parse(certificate.validFrom);
    const age = (now - from) / (Date.parse(certificate.validTo) - from);
    return (
      age >= 0 &&
      age < 2 / 3 &&
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      certificate.verify(new X509Certificate(ca).publicKey) &&
      hosts.every((host) =>
        isIP(host) ? certificate.checkIP(host) !== undefined : certificate.checkHost(host) !== undefined,
      )
    );
  } catch {
    return false;
  }
}
