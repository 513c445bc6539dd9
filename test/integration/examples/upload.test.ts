import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Spool } from "@muster/agent/examples/spool";
import { Uploader } from "@muster/agent/examples/uploader";
import { DeviceHttp, type DeviceRequest } from "@muster/agent/link/device-http";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { encodeExample } from "@muster/shared/protocol/example-bytes";
import { sha256 } from "@muster/shared/trust/digest";
import { askDeviceApi, type Credentials } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { until } from "../../support/fleet/until.ts";

const MIB = 1024 ** 2;

/** An example with `size` bytes of input. */
function example(confidence: number, size: number, at = Date.now()): Uint8Array {
  const input = Buffer.alloc(size, Math.round(confidence * 255));
  return encodeExample(
    {
      schema: "muster.example/1",
      release: sha256("release"),
      model: "defects",
      version: "1.0.0",
      variant: "cpu-int8",
      digest: sha256("model"),
      id: null,
      at,
      confidence,
      class: 0,
      label: null,
      keep: "inputs",
      inputs: [{ name: "x", datatype: "UINT8", shape: [size], bytes: size, mean: 0, std: 0 }],
      outputs: [],
    },
    [input],
  );
}

describe("hard examples on their way", () => {
  let directory: string;
  let fleet: TestFleet;
  let device: Credentials;
  let http: DeviceHttp;
  let spool: Spool;
  let uploader: Uploader | undefined;
  const events: string[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "muster-examples-"));
    events.length = 0;
  });
  afterEach(async () => {
    await uploader?.stop();
    uploader = undefined;
    http.close();
    await fleet.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function begin(options: Parameters<typeof startFleet>[0] = {}): Promise<void> {
    fleet = await startFleet(options);
    device = await fleet.enroll("press");
    fleet.directory.refresh();
    http = new DeviceHttp({
      server: () => `https://localhost:${fleet.httpsPort}`,
      tls: () => ({ ca: fleet.authority.certificate, cert: device.certificate, key: device.key }),
    });
    spool = new Spool(join(directory, "examples"), 32 * MIB);
  }
  function upload(idle = () => true, request = (what: DeviceRequest) => http.request(what)): void {
    uploader = new Uploader(
      {
        spool,
        http: { request },
        idle,
        event: (_code, message) => void events.push(message),
        log: { info: () => {} },
        random: () => 0,
      },
      { lookMs: 20, bytesPerSecond: 1e9 },
    );
    uploader.start();
  }
  const put = (confidence: number, size: number) => {
    const bytes = example(confidence, size);
    return spool.put(confidence, Date.now(), bytes).then(() => sha256(bytes));
  };
  const spooled = async () => (await spool.list()).length;

  it("arrive whole, are listed with where they come from, and are deleted on the device then", async () => {
    await begin();
    const digests = [await put(0.3, 500_000), await put(0.1, 10), await put(0.2, 0)];
    upload();
    await until(async () => (await spooled()) === 0);
    const rows = fleet.examples.list({ limit: 10 });
    assert.deepEqual(rows.map(({ digest }) => digest).sort(), [...digests].sort());
    for (const row of rows) {
      assert.equal(row.device, device.id);
      assert.equal(row.site, "eu/berlin-1");
      const { bytes, header } = await fleet.examples.get(row.digest);
      assert.equal(sha256(bytes), row.digest);
      assert.equal(header.confidence, row.confidence);
    }
    assert.equal(fleet.examples.list({ limit: 10, site: "eu" }).length, 3);
    assert.equal(fleet.examples.list({ limit: 10, site: "eu/berlin" }).length, 0);
    assert.equal(fleet.examples.list({ limit: 10, model: "none" }).length, 0);
    assert.deepEqual(await readdir(join(fleet.dataDir, "examples", "incoming")), []);
  });

  it("wait while the line has something better to do", async () => {
    await begin();
    await put(0.3, 1000);
    let idle = false;
    let looked = 0;
    upload(() => {
      looked += 1;
      return idle;
    });
    await until(() => looked > 3);
    assert.equal(await spooled(), 1);
    idle = true;
    await until(async () => (await spooled()) === 0);
  });

  it("go on where a cut left them, and come once however often an answer is lost", async () => {
    await begin();
    const digest = await put(0.3, 600_000);
    const offsets: number[] = [];
    let cuts = 3;
    upload(
      () => true,
      async (what) => {
        const response = await http.request(what);
        const offset = Number(what.headers?.["muster-offset"]);
        if ((what.body?.length ?? 0) > 0) offsets.push(offset);
        if (offset > 200_000 && cuts > 0) {
          cuts -= 1;
          response.body.destroy();
          await http.request({ path: "/" }).then(({ body }) => body.resume());
          throw new Error("the line was cut after the request");
        }
        return response;
      },
    );
    await until(async () => (await spooled()) === 0);
    assert.deepEqual(offsets, [...new Set(offsets)], "no part was sent twice");
    assert.equal(fleet.examples.list({ limit: 9 }).length, 1);
    const { bytes } = await fleet.examples.get(digest);
    assert.equal(sha256(bytes), digest);
  });

  it("stay on the device while the control plane has no room, and nothing else is lost", async () => {
    await begin({ examples: { exampleDeviceMib: 1 } });
    await put(0.1, 700_000);
    await put(0.2, 700_000);
    let asked = 0;
    upload(
      () => true,
      (what) => {
        asked += 1;
        return http.request(what);
      },
    );
    await until(async () => (await spooled()) === 1);
    await until(() => asked > 6);
    assert.equal(fleet.examples.list({ limit: 9 })[0]?.confidence, 0.1, "the hardest went first");
    assert.deepEqual(events, []);
    const [row] = fleet.examples.list({ limit: 9 });
    await fleet.examples.delete(row!.digest);
    await uploader!.stop();
    upload();
    await until(async () => (await spooled()) === 0);
  });

  it("are deleted where the control plane will never take them, and that is told", async () => {
    await begin({ examples: { exampleMib: 1 } });
    await put(0.1, 1_200_000);
    await put(0.2, 10);
    const broken = Buffer.from("no example at all");
    await spool.put(0.3, Date.now(), broken);
    upload();
    await until(async () => (await spooled()) === 0);
    assert.equal(fleet.examples.list({ limit: 9 }).length, 1);
    assert.equal(events.length, 2);
    assert.match(events[0] ?? "", /1 MiB at most/);
    assert.match(events[1] ?? "", /header line/);
  });

  it("are refused with a code where anything of the request is wrong", async () => {
    await begin();
    const ask = (headers: Record<string, string>, body = "") =>
      askDeviceApi(fleet, DEVICE_API.examples, {
        device,
        method: "POST",
        body,
        headers: { "content-type": "application/octet-stream", ...headers },
      });
    const zeros = (count: number) => "\0".repeat(count);
    const good = { "muster-digest": sha256("x"), "muster-size": "100", "muster-offset": "0" };
    assert.equal((await ask({ ...good })).status, 200);
    for (const wrong of [{ "muster-digest": "sha256:12" }, { "muster-size": "-1" }, { "muster-offset": "x" }])
      assert.equal((await ask({ ...good, ...wrong })).problem().code, "example.invalid");
    assert.equal(
      (await ask({ ...good, "muster-size": String(9 * MIB) })).problem().code,
      "example.too-large",
    );
    assert.equal((await ask(good, zeros(101))).problem().code, "example.invalid");
    assert.equal((await ask(good, zeros(100))).problem().code, "example.invalid", "another digest");
    assert.equal((await ask(good, zeros(200_000))).status, 413);
    const stranger = await askDeviceApi(fleet, DEVICE_API.examples, { method: "POST", headers: good });
    assert.equal(stranger.status, 401);
  });

  describe("begun and not ended", () => {
    const incoming = () => readdir(join(fleet.dataDir, "examples", "incoming"));
    const part = async (who: Credentials, digest: string, size: number, offset: number, body: Uint8Array) =>
      await askDeviceApi(fleet, DEVICE_API.examples, {
        device: who,
        method: "POST",
        body: Buffer.from(body).toString("latin1"),
        headers: {
          "content-type": "application/octet-stream",
          "muster-digest": digest,
          "muster-size": String(size),
          "muster-offset": String(offset),
        },
      });
    const zeros = Buffer.alloc(100_000);

    it("are one for each device, however many it begins", async () => {
      await begin();
      for (const name of ["a", "b", "c"])
        assert.equal((await part(device, sha256(name), 200_000, 0, zeros)).status, 200);
      assert.equal((await incoming()).length, 1);
      assert.deepEqual(JSON.parse((await part(device, sha256("c"), 200_000, 0, new Uint8Array())).text), {
        received: 100_000,
        stored: false,
      });
    });

    it("count for what all may take", async () => {
      await begin({ examples: { exampleTotalMib: 1 } });
      const other = await fleet.enroll("oven");
      for (let offset = 0; offset < 500_000; offset += 100_000)
        assert.equal((await part(other, sha256("x"), 900_000, offset, zeros)).status, 200);
      const answer = await part(device, sha256("y"), 700_000, 0, zeros);
      assert.equal(answer.problem().code, "example.quota");
      assert.equal((await part(device, sha256("y"), 400_000, 0, zeros)).status, 200);
      assert.equal(
        (await part(other, sha256("x"), 900_000, 500_000, zeros)).status,
        200,
        "its own counts once",
      );
    });

    it("begin anew after a restart, which may have lost some of their bytes; what is stored counts on", async () => {
      await begin({ examples: { exampleDeviceMib: 1 } });
      await put(0.1, 700_000);
      upload();
      await until(async () => (await spooled()) === 0);
      await uploader!.stop();
      const bytes = example(0.2, 110_000);
      const digest = sha256(bytes);
      const first = bytes.subarray(0, 50_000);
      assert.equal((await part(device, digest, bytes.byteLength, 0, first)).status, 200);
      const { dataDir } = fleet;
      await fleet.close(true);
      fleet = await startFleet({ dataDir, examples: { exampleDeviceMib: 1 } });
      const { text } = await part(device, digest, bytes.byteLength, 0, new Uint8Array());
      assert.deepEqual(JSON.parse(text), { received: 0, stored: false });
      assert.deepEqual(await incoming(), []);
      const refused = await part(device, sha256("z"), 700_000, 0, new Uint8Array());
      assert.equal(refused.problem().code, "example.quota");
    });

    it("are stored the next time where all came and the disk refused", async () => {
      await begin();
      const bytes = example(0.2, 1000);
      const digest = sha256(bytes);
      const folder = join(fleet.dataDir, "examples", "sha256", digest.slice(7, 9));
      await writeFile(folder, "in the way");
      assert.ok((await part(device, digest, bytes.byteLength, 0, bytes)).status >= 500);
      await rm(folder);
      const { text } = await part(device, digest, bytes.byteLength, 0, new Uint8Array());
      assert.deepEqual(JSON.parse(text), { received: bytes.byteLength, stored: true });
      const hex = digest.slice("sha256:".length);
      assert.equal(fleet.examples.resolve(hex.slice(0, 8)), digest);
      assert.throws(() => fleet.examples.resolve("0".repeat(8)), { code: "request.not-found" });
    });
  });

  it("go when their time is over", async () => {
    let now = Date.now();
    await begin({ now: () => now, examples: { exampleDays: 2 } });
    await put(0.1, 10);
    upload();
    await until(async () => (await spooled()) === 0);
    now += 86_400_000;
    await fleet.examples.prune();
    assert.equal(fleet.examples.list({ limit: 9 }).length, 1);
    now += 2 * 86_400_000;
    await fleet.examples.prune();
    assert.equal(fleet.examples.list({ limit: 9 }).length, 0);
  });
});
