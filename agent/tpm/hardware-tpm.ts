import { MusterError } from "@muster/shared/errors";
import { TPM_RH, TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { HASH_SIZE } from "@muster/shared/tpm/hash";
import { toKeyObject } from "@muster/shared/tpm/key-object";
import { parsePublic } from "@muster/shared/tpm/public-area";
import type { Channel } from "./channel.ts";
import { certify } from "./commands/attest.ts";
import { activeBanks } from "./commands/capability.ts";
import { activateCredential } from "./commands/credential.ts";
import { type KeyInTpm, readPublic } from "./commands/object.ts";
import { pcrExtend } from "./commands/pcr.ts";
import { policySecret } from "./commands/policy.ts";
import { incrementCounter, readCounter } from "./counter.ts";
import type { AttestationKey, Endorsement, PcrBank, PcrChoice, Tpm, TpmCounter, TpmQuote } from "./face.ts";
import { findAttestationKey } from "./keys/attestation-key.ts";
import { findEndorsement } from "./keys/endorsement.ts";
import { KeySlots } from "./keys/key-slots.ts";
import { findStorageKey } from "./keys/storage-key.ts";
import { quoteWithValues, readPcrs } from "./quoting.ts";
import { seal, unseal } from "./sealing/sealing.ts";
import { EMPTY_PASSWORD, type Random } from "./sessions/session.ts";
import { Sessions } from "./sessions/sessions.ts";
import { Turns } from "./turns.ts";

/** The calls of `Tpm`, put together from commands, keys and sessions. */
export class HardwareTpm implements Tpm {
  readonly #channel: Channel;
  readonly #sessions: Sessions;
  readonly #slots: KeySlots;
  readonly #turns: Turns;
  readonly #random: Random;
  #certificates: readonly Buffer[] = [];

  constructor(channel: Channel, random: Random) {
    this.#channel = channel;
    this.#random = random;
    this.#sessions = new Sessions(channel, random);
    this.#slots = new KeySlots(channel);
    this.#turns = new Turns(channel, this.#slots);
  }

  get where(): string {
    return this.#channel.transport.where;
  }

  endorsement(): Promise<Endorsement> {
    return this.#turns.run(async () => {
      const { public: area, name } = await this.#endorsementKey();
      return { public: area, name, certificates: this.#certificates };
    });
  }

  attestationKey(): Promise<AttestationKey> {
    return this.#turns.run(async () => {
      const { public: area, name } = await this.#attestationKey();
      return { public: area, name, key: toKeyObject(parsePublic(area)) };
    });
  }

  activateCredential(credentialBlob: Uint8Array, encryptedSecret: Uint8Array): Promise<Buffer> {
    return this.#turns.run(async () => {
      const endorsement = await this.#endorsementKey();
      const keys = [await this.#attestationKey(), endorsement] as const;
      const credential = { credentialBlob, encryptedSecret };
      const takesPassword = (parsePublic(endorsement.public).attributes & TPMA_OBJECT.USER_WITH_AUTH) !== 0;
      return this.#sessions.salted("hmac", endorsement, (hidden) =>
        takesPassword
          ? activateCredential(this.#channel, keys, [hidden, EMPTY_PASSWORD], credential)
          : this.#sessions.policy(async (policy) => {
              await policySecret(this.#channel, policy, TPM_RH.ENDORSEMENT);
              return activateCredential(this.#channel, keys, [hidden, policy], credential);
            }),
      );
    });
  }

  readPcrs(bank: PcrBank, indices: readonly number[]): Promise<Map<number, Buffer>> {
    return this.#turns.run(() => readPcrs(this.#channel, { bank, indices }));
  }

  pcrBanks(): Promise<PcrBank[]> {
    return this.#turns.run(() => activeBanks(this.#channel));
  }

  extend(pcr: number, digest: Uint8Array): Promise<void> {
    return this.#turns.run(async () => {
      if (digest.length !== HASH_SIZE.sha256)
        throw new MusterError("tpm.failed", `A PCR is extended by 32 bytes, not ${digest.length}.`);
      const banks = (await activeBanks(this.#channel)).filter((bank) => bank !== "sha1");
      const digests = banks.map((bank) => {
        const filled = Buffer.alloc(HASH_SIZE[bank]);
        filled.set(digest);
        return [bank, filled] as const;
      });
      await pcrExtend(this.#channel, pcr, new Map(digests));
    });
  }

  quote(bank: PcrBank, indices: readonly number[], qualifyingData: Uint8Array): Promise<TpmQuote> {
    return this.#turns.run(async () =>
      quoteWithValues(this.#channel, await this.#attestationKey(), { bank, indices }, qualifyingData),
    );
  }

  certify(handle: number, qualifyingData: Uint8Array): Promise<{ attest: Buffer; signature: Buffer }> {
    return this.#turns.run(async () => {
      const key = await this.#attestationKey();
      return certify(this.#channel, await readPublic(this.#channel, handle), key, qualifyingData);
    });
  }

  seal(data: Uint8Array, pcrs: PcrChoice | null): Promise<Buffer> {
    return this.#turns.run(async () => {
      const values = pcrs && (await readPcrs(this.#channel, pcrs));
      const bound = values && {
        pcrs: { bank: pcrs.bank, indices: [...values.keys()] },
        values: [...values.values()],
      };
      return seal(await this.#sealingParts(), data, bound);
    });
  }

  unseal(blob: Uint8Array): Promise<Buffer> {
    return this.#turns.run(async () => unseal(await this.#sealingParts(), blob));
  }

  counter(): TpmCounter {
    const parts = async () => ({
      channel: this.#channel,
      sessions: this.#sessions,
      storageKey: await this.#storageKey(),
    });
    return {
      read: () => this.#turns.run(async () => readCounter(await parts())),
      increment: () => this.#turns.run(async () => incrementCounter(await parts())),
    };
  }

  close(): Promise<void> {
    return this.#turns.close();
  }

  #endorsementKey(): Promise<KeyInTpm> {
    return this.#slots.get("endorsement", async () => {
      const { key, certificates } = await findEndorsement(this.#channel);
      this.#certificates = certificates;
      return key;
    });
  }

  #attestationKey(): Promise<KeyInTpm> {
    return this.#slots.get("attestation", () => findAttestationKey(this.#channel));
  }

  #storageKey(): Promise<KeyInTpm> {
    return this.#slots.get("storage", () => findStorageKey(this.#channel));
  }

  async #sealingParts() {
    const parent = await this.#storageKey();
    return { channel: this.#channel, sessions: this.#sessions, random: this.#random, parent };
  }
}
