import { InferenceSession, listSupportedBackends } from "onnxruntime-node";
import { sessionOptions } from "./session-options.ts";

/** An ONNX file of one Identity node over one float: the least that a provider must be able to take. */
const IDENTITY = Buffer.from(
  "CAgSBm11c3RlcjpKChwKAXgSAXkaCklkZW50aXR5XzAiCElkZW50aXR5EghpZGVudGl0eVoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=",
  "base64",
);

/** No official opset is near this. */
const BEYOND_ANY_OPSET = 60;

/** Its last byte is the version of the opset that it asks for. */
function identityModel(opset = 17): Uint8Array {
  const model = Uint8Array.from(IDENTITY);
  model[model.length - 1] = opset;
  return model;
}

async function reads(opset: number): Promise<boolean> {
  try {
    await InferenceSession.create(identityModel(opset), { executionProviders: ["cpu"], logSeverityLevel: 4 });
    return true;
  } catch {
    return false;
  }
}

/**
 * Without an argument prints what the runtime was built with: its providers and the highest opset that it reads.
 * With a provider proves that it works.
 */
const [provider] = process.argv.slice(2);
if (provider === undefined) {
  for (const { name } of listSupportedBackends()) console.log(`provider ${name}`);
  let opset = BEYOND_ANY_OPSET;
  while (opset > 1 && !(await reads(opset))) opset -= 1;
  console.log(`opset ${opset}`);
} else {
  await InferenceSession.create(identityModel(), sessionOptions({ provider }));
  console.log(`provider ${provider}`);
}
