import { randomBytes } from "node:crypto";
import { requestEnrollment } from "@muster/agent/identity/enroll";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { EnrollingBox, joinToken } from "../../integration/enrollment/box.ts";
import { startFleet } from "../../support/fleet/fleet.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { type Figure, figure, quantile } from "../figures.ts";

/** PCRs of the firmware and the agent's own. */
const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 23];
/** Where the agent keeps its attestation key. */
const AK = "0x81024d01";
/** A quote from Node takes at most this share of one by tpm2_quote. */
const AIM = 0.5;

async function timed(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    const started = performance.now();
    await work();
    took.push(performance.now() - started);
  }
  return took;
}

async function opened(swtpm: Swtpm): Promise<Tpm> {
  const tpm = await openTpm(swtpm.setting);
  if (!tpm) throw new Error("no TPM");
  return tpm;
}

/**
 * What the process of an agent needs of time for its TPM and for an enrollment with it.
 */
export const deviceFigures = async (isQuick: boolean): Promise<Figure[]> => [
  ...(await quoteFigures(isQuick)),
  ...(await enrollmentFigures(isQuick)),
];

/**
 * Latency of a quote with its PCR values from the process of the agent, over a connection that stands and over a new
 * one, against tpm2_quote with the same key of the same software TPM, whose time is that of a program that starts. In
 * rounds, so that a busy moment meets all.
 */
async function quoteFigures(isQuick: boolean): Promise<Figure[]> {
  const [rounds, times] = isQuick ? [2, 10] : [5, 40];
  const warm: number[] = [];
  const cold: number[] = [];
  const tool: number[] = [];
  const swtpm = await Swtpm.make({ certificates: false });
  try {
    for (let round = 0; round < rounds; round++) {
      const tpm = await opened(swtpm);
      await tpm.attestationKey();
      warm.push(...(await timed(times, () => tpm.quote("sha256", PCRS, randomBytes(32)))));
      await tpm.close();
      cold.push(
        ...(await timed(times, async () => {
          const fresh = await opened(swtpm);
          await fresh.quote("sha256", PCRS, randomBytes(32));
          await fresh.close();
        })),
      );
      const order = ["-c", AK, "-l", `sha256:${PCRS.join(",")}`, "-g", "sha256"];
      const files = ["-m", "quote", "-s", "signature", "-o", "pcrs", "-F", "values"];
      tool.push(
        ...(await timed(times, () =>
          swtpm.leave("quote", ...order, "-q", randomBytes(32).toString("hex"), ...files),
        )),
      );
    }
  } finally {
    await swtpm.stop();
  }
  const p50 = (took: readonly number[]) => quantile(took, 0.5);
  return [
    figure("quote from Node, connected, p50", p50(warm), "ms", "lower"),
    figure("quote from Node, connected, p99", quantile(warm, 0.99), "ms", "lower"),
    figure("quote from Node, new connection, p50", p50(cold), "ms", "lower"),
    figure("tpm2_quote, p50", p50(tool), "ms", "lower"),
    figure("quote from Node against tpm2_quote", p50(warm) / p50(tool), "ratio", "lower", AIM),
    figure("new connection against tpm2_quote", p50(cold) / p50(tool), "ratio", "lower", AIM),
  ];
}

/**
 * Time from the order to the certificate: TPM, both requests over TLS, and the control plane in the same process. One
 * device enrolls again and again, because a TPM stands for one device; its keys are made before.
 */
async function enrollmentFigures(isQuick: boolean): Promise<Figure[]> {
  const times = isQuick ? 5 : 40;
  const swtpm = await Swtpm.make();
  const fleet = await startFleet();
  const withTpm = await EnrollingBox.make(fleet);
  const without = await EnrollingBox.make(fleet);
  const tpm = await opened(swtpm);
  try {
    const p50 = async (box: EnrollingBox, chip: Tpm | undefined): Promise<number> => {
      const { keys } = await box.open(chip);
      const took: number[] = [];
      for (let time = 0; time < times; time++) {
        const order = box.order(await joinToken(fleet));
        took.push(...(await timed(1, () => requestEnrollment(keys, chip, order))));
      }
      return quantile(took, 0.5);
    };
    return [
      figure("enrollment with a TPM, p50", await p50(withTpm, tpm), "ms", "lower"),
      figure("enrollment without, p50", await p50(without, undefined), "ms", "lower"),
    ];
  } finally {
    await tpm.close();
    await withTpm.remove();
    await without.remove();
    await fleet.close();
    await swtpm.stop();
  }
}
