import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadBoxFile } from "@muster/agent/config/box-file";
import { keptBoxFile } from "@muster/agent/config/kept-box-file";

let data: string;
before(async () => {
  data = await mkdtemp(join(tmpdir(), "muster-box-"));
});
after(() => rm(data, { recursive: true, force: true }));

const runtime = { command: "/opt/npu/server", args: ["--model={model}", "--port", "{port}"] };
const load = async (content: unknown) => {
  await writeFile(join(data, "box.json"), typeof content === "string" ? content : JSON.stringify(content));
  return loadBoxFile(data);
};

test("a box without the file has nothing of its own", () => {
  assert.deepEqual(loadBoxFile(join(data, "nowhere")), {});
});

test("takes a runtime", async () => {
  const box = { runtimes: { npu: runtime } };
  assert.deepEqual(await load(box), box);
  assert.deepEqual(await load({}), {});
});

const BAD: [string, unknown, RegExp][] = [
  ["what is not JSON", "{", /box\.json: The text is not JSON/],
  ["a list", [], /box\.json/],
  ["a key that is not known", { runtime: {} }, /runtime is not known here/],
  [
    "a key of a runtime that is not known",
    { runtimes: { npu: { ...runtime, port: 1 } } },
    /port is not known here/,
  ],
  ["a runtime without a command", { runtimes: { npu: { args: ["{port}"] } } }, /command/],
  ["a provider name with capitals", { runtimes: { NPU: runtime } }, /NPU/],
  [
    "the name of a provider of ONNX Runtime",
    { runtimes: { cuda: runtime } },
    /cuda is a provider of ONNX Runtime/,
  ],
  ["no place to listen", { runtimes: { npu: { command: "x" } } }, /npu needs \{port\} or \{socket\}/],
  [
    "two places to listen",
    { runtimes: { npu: { command: "x", args: ["{port}", "{socket}"] } } },
    /and not both/,
  ],
  ["a time that is none", { runtimes: { npu: { ...runtime, readySeconds: 0 } } }, /readySeconds/],
];
for (const [name, content, pattern] of BAD)
  test(`refuses ${name}`, async () => {
    await assert.rejects(load(content), (error: { code: string; message: string }) => {
      assert.equal(error.code, "settings.invalid");
      assert.match(error.message, pattern);
      return true;
    });
  });

test("for a file that cannot be used, what it said before goes on, but for the consent to keep examples", async () => {
  const good = { runtimes: { npu: runtime }, capture: { allow: true } };
  await load(good);
  assert.deepEqual(await keptBoxFile(data), { file: good, fault: undefined });
  await writeFile(join(data, "box.json"), "{ half of");
  const { file, fault } = await keptBoxFile(data);
  assert.deepEqual(file, { runtimes: good.runtimes });
  assert.match(fault!.message, /box\.json: The text is not JSON/);
  await rm(join(data, "box.json"));
  assert.deepEqual(await keptBoxFile(data), { file: {}, fault: undefined });
  await writeFile(join(data, "box.json"), "{ half of");
  assert.deepEqual((await keptBoxFile(data)).file, {}, "what was taken back stays so");
});
