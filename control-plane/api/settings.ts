/** Limits and addresses of the operator listener. */
export interface OperatorApiSettings {
  /** Largest JSON body, bytes. A release manifest with its signed targets is the largest there is. */
  bodyLimit: number;
  /** Refused tokens from one address within a minute, after which it is answered 429. */
  failuresPerMinute: number;
  /** Refused calls of one address that are put on record within a minute. */
  refusalsPerMinute: number;
  /** PEM texts; without them the listener speaks plain HTTP and belongs on loopback. */
  tls?: { cert: string; key: string };
}

export const defaultOperatorApiSettings: OperatorApiSettings = {
  bodyLimit: 4 * 1024 ** 2,
  failuresPerMinute: 20,
  refusalsPerMinute: 30,
};
