import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { isInTheClear } from "../../settings/addresses.ts";
import { Rule } from "./mapping.ts";

const closed = { additionalProperties: false };
const Url = Type.String({ minLength: 1, maxLength: 500, pattern: "^https?://" });
const Claim = Type.String({ minLength: 1, maxLength: 100 });

/** How people sign in at an identity provider: what `oidcFile` names. See docs/people.md. */
const OidcFile = Type.Object(
  {
    /** What the button on the page says; the host of the issuer unless told. */
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    /** Its discovery document lies below at `/.well-known/openid-configuration`. */
    issuer: Url,
    clientId: Type.String({ minLength: 1, maxLength: 200 }),
    /** File with the client secret in its first line, beside this one; none for a public client. */
    clientSecretFile: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    /** Where browsers reach the page; `<publicUrl>/api/v1/sign-in/callback` is the redirect URI to register. */
    publicUrl: Url,
    scopes: Type.Optional(Type.Array(Type.String({ pattern: "^[!-~]{1,60}$" }), { maxItems: 16 })),
    /** Claim that people are called by; `preferred_username`, `email`, `name` and `sub` in this order unless told. */
    nameClaim: Type.Optional(Claim),
    /** What claims give which role where; a person whom none fits is refused. */
    rules: Type.Array(Rule, { minItems: 1, maxItems: 200 }),
    sessionHours: Type.Optional(Type.Integer({ minimum: 1, maximum: 168 })),
    idleMinutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080 })),
  },
  closed,
);

/** The file with its secret and defaults. */
export interface OidcSettings {
  name: string;
  issuer: URL;
  clientId: string;
  clientSecret: string | undefined;
  publicUrl: URL;
  scopes: readonly string[];
  nameClaims: readonly string[];
  rules: readonly Rule[];
  lifeMs: number;
  idleMs: number;
}

const HOUR_MS = 3_600_000;
const DEFAULT_SCOPES = ["openid", "profile", "email"];
const DEFAULT_NAMES = ["preferred_username", "email", "name", "sub"];

/** @throws MusterError `settings.invalid` */
export async function readOidcFile(path: string): Promise<OidcSettings> {
  const file = parse(path, await read(path));
  const { clientSecretFile } = file;
  const secret =
    clientSecretFile === undefined ? undefined : await read(resolve(dirname(path), clientSecretFile));
  const clientSecret = secret?.split(/\r?\n/, 1)[0];
  if (clientSecret === "")
    throw new MusterError("settings.invalid", `${clientSecretFile} has no secret in its first line.`);
  const issuer = safeUrl(path, "issuer", file.issuer);
  return {
    name: file.name ?? issuer.host,
    issuer,
    clientId: file.clientId,
    clientSecret,
    publicUrl: safeUrl(path, "publicUrl", file.publicUrl),
    scopes: [...new Set(["openid", ...(file.scopes ?? DEFAULT_SCOPES)])],
    nameClaims: [...(file.nameClaim === undefined ? [] : [file.nameClaim]), ...DEFAULT_NAMES],
    rules: file.rules,
    lifeMs: (file.sessionHours ?? 8) * HOUR_MS,
    idleMs: (file.idleMinutes ?? 60) * 60_000,
  };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new MusterError("settings.invalid", `${path} cannot be read.`, { cause });
  }
}

function parse(path: string, text: string): Static<typeof OidcFile> {
  try {
    return parseJson(OidcFile, text, "settings.invalid");
  } catch (cause) {
    throw new MusterError("settings.invalid", `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** What goes over the network in the clear may be read and changed. */
function safeUrl(path: string, member: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || isInTheClear(url))
    throw new MusterError("settings.invalid", `${path}: ${member} is no https address.`);
  return url;
}
