import { MusterError } from "@muster/shared/errors";
import type { Addresses } from "../../plant/control-plane.ts";
import { Operator } from "../../plant/operator.ts";
import { OperatorApi } from "../operator.ts";

/** A control plane that a simulation works against. */
export interface Plane {
  api: OperatorApi;
  deviceUrl: string;
  mqttUrl: string;
  operatorUrl: string;
  operatorToken: string;
  /** Runs `muster` as its operator. */
  muster: Operator;
  /** Where the offline keys are, undefined where releases cannot be signed. */
  keys: string | undefined;
  /** Ends a control plane of our own. @throws MusterError `scenario.invalid` for a strange one */
  stop(how: "orderly" | "power-cut"): Promise<void>;
  start(): Promise<void>;
}

/** A control plane as a child process; `start` again keeps its ports. */
export interface PlaneProcess {
  readonly addresses: Addresses;
  /** Told by the first start only. */
  readonly operatorToken: string;
  readonly pid: number;
  start(): Promise<void>;
  stop(how: "orderly" | "power-cut"): Promise<void>;
}

/**
 * Starts a control plane of our own.
 * @param directory where keys and the home of its operator are
 * @param known operator token of an earlier start on the same data
 */
export async function ownPlane(directory: string, child: PlaneProcess, known = ""): Promise<Plane> {
  await child.start();
  const operatorToken = child.operatorToken || known;
  const { deviceUrl, mqttUrl, operatorUrl } = child.addresses;
  return {
    api: new OperatorApi(operatorUrl, operatorToken),
    ...{ deviceUrl, mqttUrl, operatorUrl, operatorToken },
    muster: new Operator(directory, operatorUrl, operatorToken),
    keys: `${directory}/keys`,
    stop: (how) => child.stop(how),
    start: () => child.start(),
  };
}

/** A control plane that runs already. @throws MusterError `request.` family */
export async function strangePlane(
  url: string,
  operatorToken: string,
  home: string,
  keys?: string,
): Promise<Plane> {
  const api = new OperatorApi(url, operatorToken);
  const { deviceUrl, mqttUrl } = await api.get<{ deviceUrl: string; mqttUrl: string }>("/status");
  const refuse = () =>
    Promise.reject(
      new MusterError("scenario.invalid", "Only a control plane of the simulator's own is restarted."),
    );
  return {
    api,
    ...{ deviceUrl, mqttUrl, operatorUrl: url, operatorToken, keys },
    muster: new Operator(home, url, operatorToken),
    stop: refuse,
    start: refuse,
  };
}
