import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { ReportedState } from "@muster/shared/protocol/state";
import { parseJson } from "@muster/shared/protocol/validate";
import { Directive, type DirectivePayload, verifyDirective } from "@muster/shared/trust/directive";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";

export type Verdict =
  | { verdict: "newer"; payload: DirectivePayload }
  | { verdict: "current" }
  | { verdict: "refused"; generation: number; error: MusterError };

/** What a device has accepted and refused; it checks directives exactly as the agent does. */
export class Desired {
  generation = 0;
  refused: ReportedState["refused"] = null;
  readonly #device: string;
  readonly #keys: TrustedKeys;
  readonly #floors = new Map<string, number>();

  constructor(device: string, keys: TrustedKeys) {
    this.#device = device;
    this.#keys = keys;
  }

  /** @param now wall clock of the device, milliseconds since the epoch */
  consider(received: Uint8Array, now: number): Verdict {
    let generation = 0;
    try {
      const directive = parseJson(Directive, received, "wire.malformed") as Directive;
      const { payload } = directive;
      const { release } = payload;
      generation = payload.generation;
      const verdict = verifyDirective(directive, {
        device: this.#device,
        generation: this.generation,
        floor: release ? this.#floorOf(release.name) : 0,
        keys: this.#keys,
        now,
      });
      if (verdict === "current") return { verdict };
      this.generation = generation;
      if (release) this.#floors.set(release.name, Math.max(payload.floor, this.#floorOf(release.name)));
      return { verdict, payload };
    } catch (cause) {
      const error = asMusterError(cause);
      this.refused = { generation, failure: { code: error.code, message: error.message }, at: now };
      return { verdict: "refused", generation, error };
    }
  }

  #floorOf(release: string): number {
    return this.#floors.get(release) ?? 0;
  }
}
