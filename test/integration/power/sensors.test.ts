import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { type Reading, Sensors } from "@muster/agent/power/sensors/sensors";
import { SysfsTree } from "./sysfs-tree.ts";

let tree: SysfsTree;
let now = 0;
beforeEach(() => {
  tree = new SysfsTree();
  now = 1_000;
});
afterEach(() => tree.remove());

const sensorsOn = (meters: string[] = []) => new Sensors({ root: tree.root, meters, monotonic: () => now });
const read = (files: Record<string, string | number>, meters?: string[]): Promise<Reading> => {
  tree.set(files);
  return sensorsOn(meters).read();
};

const NOTHING = {
  temperatureC: null,
  watts: null,
  energyMj: null,
  meter: null,
  throttled: null,
  supply: null,
};

/** Rails of a Jetson: VDD_IN feeds the two others. */
const JETSON = {
  "class/hwmon/hwmon3/name": "ina3221",
  "class/hwmon/hwmon3/in1_label": "VDD_IN",
  "class/hwmon/hwmon3/in1_input": 5_000,
  "class/hwmon/hwmon3/curr1_input": 1_400,
  "class/hwmon/hwmon3/in2_label": "VDD_CPU_GPU_CV",
  "class/hwmon/hwmon3/in2_input": 5_000,
  "class/hwmon/hwmon3/curr2_input": 500,
  "class/hwmon/hwmon3/in3_label": "VDD_SOC",
  "class/hwmon/hwmon3/in3_input": 5_000,
  "class/hwmon/hwmon3/curr3_input": 300,
  "class/hwmon/hwmon3/in7_label": "sum of shunt voltages",
  "class/hwmon/hwmon3/in7_input": 3,
  "class/hwmon/hwmon3/curr4_input": 2_200,
};

test("sensors: a box without any knows nothing", async () => {
  assert.deepEqual(await sensorsOn().read(), NOTHING);
  assert.deepEqual(
    await new Sensors({ root: "/does-not-exist", meters: [], monotonic: () => 0 }).read(),
    NOTHING,
  );
});

const temperatures: [what: string, files: Record<string, string | number>, expected: number | null][] = [
  [
    "the hottest zone",
    { "class/thermal/thermal_zone0/temp": 41_000, "class/thermal/thermal_zone1/temp": 52_500 },
    52.5,
  ],
  [
    "a sleeping sensor is left out",
    { "class/thermal/thermal_zone0/temp": "", "class/thermal/thermal_zone1/temp": 38_000 },
    38,
  ],
  [
    "nonsense is left out",
    { "class/thermal/thermal_zone0/temp": 254_000, "class/thermal/thermal_zone1/temp": -274_000 },
    null,
  ],
  [
    "a disk has limits of its own",
    { "class/hwmon/hwmon0/name": "nvme", "class/hwmon/hwmon0/temp1_input": 79_000 },
    null,
  ],
  [
    "a processor's monitor",
    {
      "class/hwmon/hwmon0/name": "k10temp",
      "class/hwmon/hwmon0/temp1_input": 61_250,
      "class/hwmon/hwmon0/temp1_crit": 95_000,
    },
    61.25,
  ],
  [
    "a radio",
    { "class/thermal/thermal_zone0/type": "iwlwifi_1", "class/thermal/thermal_zone0/temp": 88_000 },
    null,
  ],
];
for (const [what, files, expected] of temperatures)
  test(`temperature: ${what}`, async () => assert.equal((await read(files)).temperatureC, expected));

const draws: [
  what: string,
  files: Record<string, string | number>,
  meters: string[],
  watts: number | null,
  meter: string | null,
][] = [
  ["of the rail that feeds the board", JETSON, [], 7, "board"],
  ["of the meters that the owner chose", JETSON, ["ina3221/VDD_CPU_GPU_CV", "ina3221/VDD_SOC"], 4, "board"],
  [
    "of a whole device that the owner chose",
    { "class/hwmon/hwmon0/name": "amdgpu", "class/hwmon/hwmon0/power1_average": 9_000_000 },
    ["amdgpu"],
    9,
    "board",
  ],
  [
    "of a graphics card alone is not that of the box",
    { "class/hwmon/hwmon0/name": "amdgpu", "class/hwmon/hwmon0/power1_average": 9_000_000 },
    [],
    null,
    null,
  ],
  [
    "of several rails of which none feeds all",
    {
      "class/hwmon/hwmon0/name": "ina226",
      "class/hwmon/hwmon0/power1_input": 1_500_000,
      "class/hwmon/hwmon1/name": "ina226",
      "class/hwmon/hwmon1/power1_input": 2_000_000,
    },
    [],
    3.5,
    "board",
  ],
  [
    "of a battery that feeds the box",
    {
      "class/power_supply/BAT0/type": "Battery",
      "class/power_supply/BAT0/status": "Discharging",
      "class/power_supply/BAT0/current_now": -500_000,
      "class/power_supply/BAT0/voltage_now": 12_000_000,
    },
    [],
    6,
    "battery",
  ],
  [
    "of a mouse is not that of the box",
    {
      "class/power_supply/hid/type": "Battery",
      "class/power_supply/hid/scope": "Device",
      "class/power_supply/hid/status": "Discharging",
      "class/power_supply/hid/power_now": 500_000,
    },
    [],
    null,
    null,
  ],
];
for (const [what, files, meters, watts, meter] of draws)
  test(`draw ${what}`, async () => {
    const reading = await read(files, meters);
    assert.deepEqual([reading.watts, reading.meter, reading.energyMj], [watts, meter, null]);
  });

test("draw: a sampled one is the mean of two readings, times the time between", async () => {
  const sensors = sensorsOn();
  tree.set(JETSON);
  await sensors.read();
  tree.set({ "class/hwmon/hwmon3/curr1_input": 1_000 });
  now += 2_000;
  assert.deepEqual((await sensors.read()).energyMj, 12_000);
});

test("draw: a counter tells energy, wraps around, and says nothing after a long pause", async () => {
  const zone = "class/powercap/intel-rapl:0";
  tree.set({
    [`${zone}/name`]: "package-0",
    [`${zone}/energy_uj`]: 90_000_000,
    [`${zone}/max_energy_range_uj`]: 100_000_000,
  });
  // The cores are part of the package; the memory is not.
  tree.set({
    [`${zone}:0/name`]: "core",
    [`${zone}:0/energy_uj`]: 1,
    [`${zone}:0/max_energy_range_uj`]: 100_000_000,
  });
  tree.set({
    [`${zone}:1/name`]: "dram",
    [`${zone}:1/energy_uj`]: 1_000_000,
    [`${zone}:1/max_energy_range_uj`]: 100_000_000,
  });
  const sensors = sensorsOn();
  const first = await sensors.read();
  assert.deepEqual([first.meter, first.watts, first.energyMj], ["processor", null, null]);
  tree.set({
    [`${zone}/energy_uj`]: 4_000_000,
    [`${zone}:0/energy_uj`]: 50_000_000,
    [`${zone}:1/energy_uj`]: 2_000_000,
  });
  now += 5_000;
  const second = await sensors.read();
  assert.deepEqual([second.energyMj, second.watts], [15_000, 3]);
  now += 3_600_000;
  const asleep = await sensors.read();
  assert.deepEqual([asleep.energyMj, asleep.watts], [null, null]);
});

test("draw: the counter of the whole platform goes before that of the processor", async () => {
  const zones = "class/powercap/intel-rapl:";
  for (const [zone, name, energy] of [
    ["0", "package-0", 0],
    ["1", "psys", 0],
  ] as const)
    tree.set({
      [`${zones}${zone}/name`]: name,
      [`${zones}${zone}/energy_uj`]: energy,
      [`${zones}${zone}/max_energy_range_uj`]: 1e9,
    });
  const sensors = sensorsOn();
  await sensors.read();
  tree.set({ [`${zones}0/energy_uj`]: 2_000_000, [`${zones}1/energy_uj`]: 5_000_000 });
  now += 1_000;
  const { meter, watts } = await sensors.read();
  assert.deepEqual([meter, watts], ["platform", 5]);
});

const CPU = "devices/system/cpu";
const throttlings: [
  what: string,
  before: Record<string, string | number>,
  after: Record<string, string | number>,
  expected: boolean | null,
][] = [
  ["no event", { [`${CPU}/cpu0/thermal_throttle/core_throttle_count`]: 7 }, {}, false],
  [
    "a new event",
    { [`${CPU}/cpu0/thermal_throttle/core_throttle_count`]: 7 },
    { [`${CPU}/cpu0/thermal_throttle/core_throttle_count`]: 8 },
    true,
  ],
  [
    "a frequency limit that an administrator set",
    { [`${CPU}/cpufreq/policy0/scaling_max_freq`]: 1_000_000 },
    {},
    false,
  ],
  [
    "a frequency limit that fell",
    { [`${CPU}/cpufreq/policy0/scaling_max_freq`]: 1_800_000 },
    { [`${CPU}/cpufreq/policy0/scaling_max_freq`]: 1_200_000 },
    true,
  ],
  [
    "a fan",
    { "class/thermal/cooling_device0/type": "pwm-fan", "class/thermal/cooling_device0/cur_state": 3 },
    {},
    null,
  ],
  [
    "processors held back",
    { "class/thermal/cooling_device0/type": "cpufreq-cpu0", "class/thermal/cooling_device0/cur_state": 0 },
    { "class/thermal/cooling_device0/cur_state": 2 },
    true,
  ],
  ["the firmware, of the past", { "devices/platform/soc/soc:firmware/get_throttled": "50000" }, {}, false],
  ["the firmware, of now", { "devices/platform/soc/soc:firmware/get_throttled": "50005" }, {}, true],
];
for (const [what, before, after, expected] of throttlings)
  test(`throttling by ${what}: ${expected}`, async () => {
    const sensors = sensorsOn();
    tree.set(before);
    await sensors.read();
    tree.set(after);
    now += 1_000;
    assert.equal((await sensors.read()).throttled, expected);
  });

const UPS = { "class/power_supply/ups/type": "UPS", "class/power_supply/ups/capacity": 80 };
const supplies: [what: string, files: Record<string, string | number>, expected: object | null][] = [
  ["mains alone", { "class/power_supply/AC/type": "Mains", "class/power_supply/AC/online": 1 }, null],
  [
    "a UPS at rest",
    { ...UPS, "class/power_supply/ups/status": "Full" },
    { onBattery: false, percent: 80, watts: null },
  ],
  [
    "a UPS at work",
    { ...UPS, "class/power_supply/ups/status": "Discharging", "class/power_supply/ups/power_now": 5_000_000 },
    { onBattery: true, percent: 80, watts: 5 },
  ],
  [
    "a battery that helps out while mains are there",
    {
      ...UPS,
      "class/power_supply/ups/status": "Discharging",
      "class/power_supply/AC/type": "Mains",
      "class/power_supply/AC/online": 1,
    },
    { onBattery: false, percent: 80, watts: null },
  ],
];
for (const [what, files, expected] of supplies)
  test(`supply: ${what}`, async () => assert.deepEqual((await read(files)).supply, expected));
