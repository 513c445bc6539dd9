import type { Sysfs } from "./sysfs.ts";

/** What a sensor says outside of this range is a fault of the sensor, degrees Celsius. */
const PLAUSIBLE_C = { min: -60, max: 150 };
/** Parts with limits of their own, which say nothing about the processors. */
const OTHER_PARTS = /^(nvme|drivetemp|bat|iwlwifi|ath|mt7|r8169|jc42|spd5118|ucsi)/i;

/** The hottest plausible sensor of processors and board, degrees Celsius; null where there is none. */
export async function hottestCelsius(sysfs: Sysfs): Promise<number | null> {
  const readings = [...(await zones(sysfs)), ...(await monitors(sysfs))]
    .map((milli) => milli / 1000)
    .filter((celsius) => celsius > PLAUSIBLE_C.min && celsius < PLAUSIBLE_C.max);
  return readings.length > 0 ? Math.max(...readings) : null;
}

/** Kernel documentation, driver-api/thermal/sysfs-api: millidegrees. */
async function zones(sysfs: Sysfs): Promise<number[]> {
  const found: number[] = [];
  for (const zone of await sysfs.list("class/thermal", "thermal_zone")) {
    const directory = `class/thermal/${zone}`;
    if (OTHER_PARTS.test((await sysfs.text(`${directory}/type`)) ?? "")) continue;
    const milli = await sysfs.number(`${directory}/temp`);
    if (milli !== undefined) found.push(milli);
  }
  return found;
}

/** Kernel documentation, hwmon/sysfs-interface: `tempN_input` in millidegrees. */
async function monitors(sysfs: Sysfs): Promise<number[]> {
  const found: number[] = [];
  for (const monitor of await sysfs.list("class/hwmon", "hwmon")) {
    const directory = `class/hwmon/${monitor}`;
    if (OTHER_PARTS.test((await sysfs.text(`${directory}/name`)) ?? "")) continue;
    for (const file of await sysfs.list(directory, "temp")) {
      if (!/^temp\d+_input$/.test(file)) continue;
      const milli = await sysfs.number(`${directory}/${file}`);
      if (milli !== undefined) found.push(milli);
    }
  }
  return found;
}
