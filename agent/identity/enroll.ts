import { MusterError } from "@muster/shared/errors";
import {
  type ActivationChallenge,
  DEVICE_API,
  EnrollAnswer,
  type EnrollRequest,
  EnrollResponse,
} from "@muster/shared/protocol/device-api";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { parseJson } from "@muster/shared/protocol/validate";
import { parseJoinToken, rootPinOf } from "@muster/shared/trust/join-token";
import { DeviceHttp } from "../link/device-http.ts";
import { postJson } from "../link/response.ts";
import { answerChallenge, type EnrollingTpm, tpmIdentityOf } from "./activate.ts";
import { checkCertificate } from "./certificate.ts";
import { buildCsr } from "./csr.ts";
import type { Enrollment } from "./enrollment-file.ts";
import type { DeviceKeys } from "./keys.ts";
import { fetchPinnedCa } from "./server-ca.ts";

export interface EnrollOrder {
  server: string;
  /** The join token as the operator got it. */
  token: string;
  name: string | null;
  labels: Record<string, string>;
  hardware: HardwareFacts;
  /** Longest silence in a request, milliseconds. */
  timeoutMs: number;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface Enrolled {
  enrollment: Enrollment;
  /** TUF root metadata, as text, that the join token vouches for (if it has a root pin). */
  tufRoot: string;
}

/**
 * Asks the server for a certificate; a device with a TPM proves that its keys belong to it. Nothing is kept: until the caller writes the result, the device is not
 * enrolled, and asking again with the same keys is harmless.
 * @throws MusterError of the families `token.`, `enrollment.`, `certificate.`, `request.`, `tpm.`
 */
export async function requestEnrollment(
  keys: DeviceKeys,
  tpm: EnrollingTpm | undefined,
  order: EnrollOrder,
): Promise<Enrolled> {
  const token = parseJoinToken(order.token);
  const ca = await fetchPinnedCa(order.server, token.caPin, order.timeoutMs);
  const http = new DeviceHttp({
    server: () => order.server,
    tls: () => ({ ca }),
    timeoutMs: order.timeoutMs,
  });
  const activate = async (challenge: ActivationChallenge): Promise<EnrollResponse> => {
    if (!tpm) throw new MusterError("wire.malformed", "The server asks for a TPM that was not named.");
    const way = { server: order.server, ca, token: token.id, timeoutMs: order.timeoutMs };
    return parseJson(EnrollResponse, await answerChallenge(keys, tpm, challenge, way), "wire.malformed");
  };
  try {
    const request: EnrollRequest = {
      token: `${token.id}.${token.secret}`,
      csr: await buildCsr(keys.device, keys.tlsKey),
      signingKey: keys.signing.publicKey,
      sealingKey: keys.sealing.publicKey,
      ...(tpm && { tpm: await tpmIdentityOf(tpm) }),
      ...(order.name !== null && { name: order.name }),
      ...(Object.keys(order.labels).length > 0 && { labels: order.labels }),
      hardware: order.hardware,
    };
    const first = parseJson(EnrollAnswer, await postJson(http, DEVICE_API.enroll, request), "wire.malformed");
    const answer = "challenge" in first ? await activate(first) : first;
    checkCertificate(answer.certificate, ca, keys.device, keys.tlsKey);
    if (token.rootPin !== null) checkRoot(answer.tufRoot, token.rootPin);
    const enrollment: Enrollment = {
      device: keys.device,
      server: order.server,
      mqttUrl: answer.mqttUrl,
      token: token.id,
      at: order.now,
      assurance: answer.assurance,
      ca,
      certificate: answer.certificate,
    };
    return { enrollment, tufRoot: answer.tufRoot };
  } finally {
    http.close();
  }
}

/** @throws MusterError `enrollment.root-mismatch` unless the root is the one of the join token */
function checkRoot(text: string, pin: string): void {
  let found: string;
  try {
    const { signed } = JSON.parse(text) as { signed: unknown };
    found = rootPinOf(signed);
  } catch (cause) {
    throw new MusterError(
      "enrollment.root-mismatch",
      "The trust root that the server offers cannot be read.",
      {
        cause,
      },
    );
  }
  if (found !== pin) throw new MusterError("enrollment.root-mismatch");
}
