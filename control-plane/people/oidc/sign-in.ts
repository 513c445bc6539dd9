import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ControlTables } from "../../storage/tables/index.ts";
import type { Operator, Operators } from "../operators.ts";
import { type NewSession, Sessions } from "../sessions.ts";
import { grantsOf, nameOf } from "./mapping.ts";
import type { OidcSettings } from "./oidc-file.ts";
import { OneTimeCodes } from "./one-time-codes.ts";
import { type Checks, Provider } from "./provider.ts";
import { SealedState } from "./sealed-state.ts";

/** A command line that waits on loopback for the end of a sign-in. */
export interface WaitingCli {
  /** It listens there on 127.0.0.1. */
  port: number;
  /** Of a verifier that only it knows. */
  challenge: string;
  /** Comes back to it as it is. */
  state: string;
}

/** A sign-in that is under way, as the browser keeps it. */
interface UnderWay {
  checks: Checks;
  cli: WaitingCli | null;
}

/** How a sign-in ended: the page has a session, or the command line a code for one. */
export type SignedIn = { session: NewSession } | { cli: URL };

/** Time for the sign-in at the provider, and from there to the command line, milliseconds. */
export const SIGN_IN_MS = 10 * 60_000;
const CODE_MS = 60_000;

/** Lets people in whom an identity provider vouches for. */
export class SignIn {
  readonly sessions: Sessions;
  readonly #settings: OidcSettings;
  readonly #operators: Operators;
  readonly #provider: Provider;
  readonly #underWay: SealedState<UnderWay>;
  readonly #codes: OneTimeCodes<Operator>;

  constructor(db: Kysely<ControlTables>, operators: Operators, settings: OidcSettings, now: () => number) {
    this.sessions = new Sessions(db, settings, now);
    this.#settings = settings;
    this.#operators = operators;
    this.#provider = new Provider(settings);
    this.#underWay = new SealedState(SIGN_IN_MS, now);
    this.#codes = new OneTimeCodes(CODE_MS, now);
  }

  /** What people call the provider. */
  get name(): string {
    return this.#settings.name;
  }

  /**
   * Where to send the browser, and what it has to keep meanwhile.
   * @throws MusterError `access.provider-unreachable`
   */
  async begin(cli: WaitingCli | null): Promise<{ url: URL; kept: string }> {
    const { url, checks } = await this.#provider.begin();
    return { url, kept: this.#underWay.seal({ checks, cli }) };
  }

  /** Where the command line waits, for telling it that the sign-in failed; undefined for the page. */
  waitingCli(kept: string | undefined): WaitingCli | undefined {
    return this.#underWay.open(kept)?.cli ?? undefined;
  }

  /**
   * @param query of the address that the provider sent the browser back to
   * @throws MusterError `access.sign-in-failed`, `access.unmapped`, `access.denied` for one who was revoked here,
   * `access.provider-unreachable`
   */
  async finish(query: string, kept: string | undefined): Promise<SignedIn> {
    const underWay = this.#underWay.open(kept);
    if (!underWay)
      throw new MusterError("access.sign-in-failed", "This browser began no sign-in in the last 10 minutes.");
    const claims = await this.#provider.finish(query, underWay.checks);
    const person = {
      issuer: claims.iss,
      subject: claims.sub,
      name: nameOf(claims, this.#settings.nameClaims),
    };
    const grants = grantsOf(claims, this.#settings.rules);
    if (grants.length === 0) {
      await this.#operators.shutOut(person);
      throw new MusterError("access.unmapped", `No rule here gives ${person.name} a role.`);
    }
    const operator = await this.#operators.signIn(person, grants);
    const { cli } = underWay;
    if (!cli) return { session: await this.sessions.begin(operator.id, "page") };
    return { cli: cliUrl(cli, { code: this.#codes.issue(operator, cli.challenge) }) };
  }

  /** @throws MusterError `access.sign-in-failed` */
  async redeem(code: string, verifier: string): Promise<{ session: NewSession; operator: Operator }> {
    const operator = this.#codes.redeem(code, verifier);
    if (!operator) throw new MusterError("access.sign-in-failed", "This code is not good any more.");
    return { session: await this.sessions.begin(operator.id, "cli"), operator };
  }
}

/** Where a command line waits: on this machine, whatever it asked for. */
export function cliUrl({ port, state }: WaitingCli, answer: Readonly<Record<string, string>>): URL {
  const url = new URL(`http://127.0.0.1:${port}/`);
  for (const [name, value] of Object.entries({ ...answer, state })) url.searchParams.set(name, value);
  return url;
}
