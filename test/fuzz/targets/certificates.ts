import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { buildCsr } from "@muster/agent/identity/csr";
import { issueCertificate } from "@muster/control-plane/enrollment/certificates";
import { checkRequest } from "@muster/control-plane/enrollment/csr";
import { certificatesIn, endorsementOf } from "@muster/control-plane/enrollment/ek-chain";
import type { Target } from "../target.ts";

const HOUR_MS = 3_600_000;
const now = 1_800_000_000_000;

const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE REQUEST-----\n`;

/** Certificates of endorsement keys and requests for one, as devices send them. */
export async function certificateTargets(): Promise<Target[]> {
  const pair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
  const [root, middle, ek] = [pair(), pair(), pair()];
  const times = { notBefore: now - HOUR_MS, notAfter: now + HOUR_MS };
  const issuer = (commonName: string, keys: typeof root) => ({ commonName, ...keys });
  const issue = (
    commonName: string,
    keys: typeof root,
    by: ReturnType<typeof issuer>,
    kind: "ca" | "device",
  ) =>
    new X509Certificate(
      issueCertificate({ commonName, publicKey: keys.publicKey, ...times, use: { kind } }, by).pem,
    );
  const top = issuer("Vendor root", root);
  const rootCertificate = issue("Vendor root", root, top, "ca");
  const middleCertificate = issue("Vendor 1", middle, top, "ca");
  const ekCertificate = issue("EK", ek, issuer("Vendor 1", middle), "device");
  const csr = await buildCsr(
    "daaaaaaaaaaaaaaaaaaaa",
    ek.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const csrDer = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return [
    {
      name: "EK certificates",
      form: "bytes",
      seeds: [
        Buffer.concat([ekCertificate.raw, middleCertificate.raw]),
        middleCertificate.raw,
        ekCertificate.raw,
        Buffer.concat([ekCertificate.raw, Buffer.alloc(64, 0xff)]),
      ],
      take: (input) => {
        const given = certificatesIn([input, middleCertificate.raw]);
        endorsementOf(ek.publicKey, given, [rootCertificate], now);
        endorsementOf(ek.publicKey, [ekCertificate], certificatesIn([input]), now);
      },
    },
    {
      name: "certificate request",
      form: "bytes",
      seeds: [csrDer],
      take: (input) => void checkRequest(pemOf(input)),
    },
  ];
}
