import { gunzipSync, gzipSync } from "node:zlib";
import { EvidencePayload, qualifyingDataOf } from "@muster/shared/protocol/evidence";
import { parseJson } from "@muster/shared/protocol/validate";
import { Appraising } from "../../support/attestation/appraising.ts";
import { MadeBox } from "../../support/attestation/made-box.ts";
import { makeQuote } from "../../support/made-tpm/attest.ts";
import type { Target } from "../target.ts";

const digest = `sha256:${"e".repeat(64)}` as const;

function bootedBox(): MadeBox {
  const box = new MadeBox({}, "ecc");
  box.measure("agent", digest);
  for (const path of ["boot_aggregate", "/usr/bin/node", "/opt/muster/agent.js"])
    box.use({ path, content: path });
  return box;
}

type Repack = (bytes: Buffer) => Buffer;

/** Logs packed or unpacked: what is to be changed is their content. */
function repacked(payload: EvidencePayload, pack: Repack): EvidencePayload {
  const { tpm } = payload;
  const again = <L extends { gzip: string | null }>(log: L): L => ({
    ...log,
    gzip: log.gzip === null ? null : pack(Buffer.from(log.gzip, "base64")).toString("base64"),
  });
  if (!tpm) return payload;
  return {
    ...payload,
    tpm: { ...tpm, bootLog: tpm.bootLog && again(tpm.bootLog), ima: tpm.ima && again(tpm.ima) },
  };
}

/** The whole way from evidence to verdict: mutated evidence gets a quote by the right key over what it says. */
export async function appraisalTargets(): Promise<Target[]> {
  const box = bootedBox();
  const plane = new Appraising(box);
  plane.references = [
    {
      ...{ schema: "muster.reference-set/1", name: "fuzz", sequence: 1, description: "fuzz" },
      hardwareClass: "any",
      firmware: [
        {
          name: "golden",
          pcrs: {
            sha256: Object.fromEntries(
              [0, 4, 7].map((pcr) => [pcr, (box.pcrs.get(pcr) ?? Buffer.alloc(32)).toString("hex")]),
            ),
          },
        },
      ],
      ima: { rules: [{ paths: ["/usr/**", "boot_aggregate"] }], otherwise: "warning" },
      minimum: { agent: "0.2.0" },
    },
  ];
  const challenge = plane.challenge();
  const answer = await plane.prover.link(challenge);
  const alone = await plane.prover.link();
  const before = plane.history;
  const { history: after } = plane.judge(answer, "answer", challenge.pcrs);
  return [
    {
      name: "appraisal of evidence",
      form: "json",
      seeds: [answer, alone].map(({ payload }) => Buffer.from(JSON.stringify(repacked(payload, gunzipSync)))),
      take: (input) => {
        const payload = repacked(parseJson(EvidencePayload, input, "wire.malformed"), gzipSync);
        const { tpm } = payload;
        if (tpm) {
          const pcrs = new Map(
            Object.entries(tpm.pcrs.sha256 ?? {}).map(([pcr, hex]) => [Number(pcr), Buffer.from(hex, "hex")]),
          );
          const nonce = qualifyingDataOf(payload);
          const { quote, signature } = makeQuote({ key: box.key, nonce, bank: "sha256", pcrs });
          tpm.quote = quote.toString("base64");
          tpm.signature = signature.toString("base64");
        }
        for (const history of [before, after])
          for (const how of ["answer", "offline", "again"] as const) {
            plane.history = history;
            plane.judge({ payload, keyId: "", signature: "" }, how, challenge.pcrs);
          }
      },
    },
  ];
}
