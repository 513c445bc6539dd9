import type { Gone, Inferred } from "./infer.ts";
import type { ParsedRequest } from "./infer-request.ts";
import type { LoadedModel } from "./model.ts";
import type { Service } from "./routes/route.ts";

/**
 * Has a request computed, whichever way it came in, and counts it.
 * @param arrivedAt when all of it was there, monotonic milliseconds: its timeout counts from then
 * @throws MusterError why it was refused or failed
 */
export async function askModel(
  { infer, statistics }: Pick<Service, "infer" | "statistics">,
  model: LoadedModel,
  request: ParsedRequest,
  arrivedAt: number,
  signal: Gone,
): Promise<Inferred> {
  const receivedAt = performance.now();
  statistics.read(model, receivedAt - arrivedAt);
  const { tier, timeoutMs } = request;
  let inferred: Inferred;
  try {
    inferred = await infer({ model, request, tier, receivedAt, deadlineAt: arrivedAt + timeoutMs, signal });
  } catch (error) {
    statistics.refused(model, performance.now() - receivedAt);
    throw error;
  }
  if (inferred.error) throw inferred.error;
  return inferred;
}
