import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { checkRequest } from "@muster/control-plane/enrollment/csr";
import { DEVICE_API, EnrollRequest } from "@muster/shared/protocol/device-api";
import { parseJson } from "@muster/shared/protocol/validate";
import { formatJoinToken } from "@muster/shared/trust/join-token";
import type { Fleet } from "../link/fleet.ts";
import type { TestBroker } from "../link/test-broker.ts";

/** The device listener as far as a box needs it that gets no release: CA, enrollment, renewal, no directive. */
export async function serveDevices(fleet: Fleet, broker: TestBroker) {
  const enrolled: EnrollRequest[] = [];
  const asked: string[] = [];
  /** How it treats whoever enrolls: with certificates made at a time, or not at all. */
  const rule = { issuedAt: Date.now(), isTokenSpent: false };
  const server = createServer(
    { ...fleet.server.secureContext(), requestCert: true, rejectUnauthorized: false },
    async (request, response) => {
      asked.push(request.url ?? "");
      const body = await text(request);
      const ca = fleet.authority.certificate;
      const certify = (csr: string) => {
        const { device, publicKey } = checkRequest(csr);
        return {
          device,
          certificate: fleet.authority.issueDevice(device, publicKey, 30, rule.issuedAt).pem,
          ca,
        };
      };
      if (request.url === DEVICE_API.ca) response.end(ca);
      else if (rule.isTokenSpent) response.writeHead(401).end('{"code": "token.spent", "detail": "used up"}');
      else if (request.url === DEVICE_API.enroll) {
        const order = parseJson(EnrollRequest, body, "request.invalid");
        enrolled.push(order);
        const tufRoot = JSON.stringify({ signed: { _type: "root", version: 1 }, signatures: [] });
        response.end(
          JSON.stringify({ ...certify(order.csr), mqttUrl: broker.url, tufRoot, assurance: "software" }),
        );
      } else if (request.url === DEVICE_API.desired) response.writeHead(204).end();
      else response.writeHead(404).end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const token = formatJoinToken({
    id: "token-0001",
    secret: "s".repeat(32),
    caPin: fleet.authority.pin,
    rootPin: null,
  });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `https://127.0.0.1:${port}`, port, token, rule, enrolled, asked, stop };
}
