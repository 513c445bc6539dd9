import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { TestControlPlane } from "../operator/control-plane.ts";
import { type People, TestProvider } from "./provider.ts";

/** A control plane whose people sign in at a real identity provider. */
export interface OidcWorld {
  plane: TestControlPlane;
  provider: TestProvider;
  close(): Promise<void>;
}

const RULES = [
  { claim: "groups", value: "fleet-admins", role: "admin", site: "*" },
  { claim: "groups", value: "berlin", role: "operator", site: "eu/berlin" },
];

export async function openOidcWorld(people: People): Promise<OidcWorld> {
  const dir = await mkdtemp(join(tmpdir(), "muster-oidc-"));
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const provider = await TestProvider.start(`${publicUrl}/api/v1/sign-in/callback`, people);
  await writeFile(join(dir, "client.secret"), "a-secret-of-the-client\n", { mode: 0o600 });
  const file = {
    name: "Test Provider",
    issuer: provider.issuer,
    clientId: "muster",
    clientSecretFile: "client.secret",
    publicUrl,
    scopes: ["openid", "profile", "groups"],
    rules: RULES,
  };
  await writeFile(join(dir, "oidc.json"), JSON.stringify(file));
  const leave = async () => {
    await provider.stop();
    await rm(dir, { recursive: true });
  };
  const args = ["--operator-port", String(port), "--set", `oidcFile=${join(dir, "oidc.json")}`];
  const plane = await TestControlPlane.start(...args).catch(async (error) => {
    await leave();
    throw error;
  });
  const close = async () => {
    await plane.close();
    await leave();
  };
  return { plane, provider, close };
}
