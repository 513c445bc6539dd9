import type { Sysfs } from "./sysfs.ts";

/** Drivers of chips that measure supply rails of a board. */
const RAIL_METERS = /^(ina\d|power_meter|ltc\d|pac\d)/;
/** Names of rails through which all of the board is fed; the other rails are parts of them. */
const WHOLE_BOARD = /^(vdd_in|pom_5v_in|vin|vin_sys.*|5v_in|12v_in|sys|system|total)$/i;

interface Rail {
  readonly name: string;
  readonly watts: number;
}

/**
 * What the board draws by its own meters (INA3221 and the like), watts; null where it has none. A rail that feeds the
 * whole board stands alone; otherwise all rails are added.
 * @param chosen hwmon devices (`ina3221`) or rails (`ina3221/VDD_IN`) that make up the box, in place of the rule
 */
export async function boardWatts(sysfs: Sysfs, chosen: readonly string[] = []): Promise<number | null> {
  const rails: Rail[] = [];
  for (const monitor of await sysfs.list("class/hwmon", "hwmon")) {
    const directory = `class/hwmon/${monitor}`;
    const device = (await sysfs.text(`${directory}/name`)) ?? "";
    const isNamed = chosen.some((name) => name === device || name.startsWith(`${device}/`));
    if (chosen.length > 0 ? !isNamed : !RAIL_METERS.test(device)) continue;
    for (const { name, watts } of await railsOf(sysfs, directory))
      if (chosen.length === 0 || chosen.includes(device) || chosen.includes(`${device}/${name}`))
        rails.push({ name, watts });
  }
  const whole = chosen.length > 0 ? [] : rails.filter(({ name }) => WHOLE_BOARD.test(name));
  const counted = whole.length > 0 ? whole : rails;
  return counted.length > 0 ? counted.reduce((sum, { watts }) => sum + watts, 0) : null;
}

/** Kernel documentation, hwmon/sysfs-interface: power in microwatts, voltage in millivolts, current in milliamperes. */
async function railsOf(sysfs: Sysfs, directory: string): Promise<Rail[]> {
  const files = await sysfs.list(directory);
  const channels = new Set(
    files.flatMap((file) => /^(?:power|curr)(\d+)_(?:input|average)$/.exec(file)?.[1] ?? []),
  );
  const rails: Rail[] = [];
  for (const channel of channels) {
    const name =
      (await sysfs.text(`${directory}/power${channel}_label`)) ??
      (await sysfs.text(`${directory}/in${channel}_label`)) ??
      channel;
    // Shunt voltages and their sum are listed beside the rails.
    if (/shunt/i.test(name)) continue;
    const microwatts =
      (await sysfs.number(`${directory}/power${channel}_input`)) ??
      (await sysfs.number(`${directory}/power${channel}_average`)) ??
      product(
        await sysfs.number(`${directory}/in${channel}_input`),
        await sysfs.number(`${directory}/curr${channel}_input`),
      );
    if (microwatts !== undefined && microwatts >= 0) rails.push({ name, watts: microwatts / 1e6 });
  }
  return rails;
}

const product = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a * b;
