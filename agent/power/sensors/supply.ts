import type { Sysfs } from "./sysfs.ts";

const SUPPLIES = "class/power_supply";

/** Battery or UPS that feeds the box. */
export interface Supply {
  readonly onBattery: boolean;
  /** Charge, percent; null where it is not told. */
  readonly percent: number | null;
  /** What it gives while it discharges, watts; null where it is not told. */
  readonly watts: number | null;
}

/**
 * The battery or UPS of the box, null where there is none. Kernel documentation, ABI/testing/sysfs-class-power;
 * batteries of mice and the like have the scope `Device`.
 */
export async function readSupply(sysfs: Sysfs): Promise<Supply | null> {
  let isFed = false;
  let [found, discharging] = [false, false];
  let percent: number | null = null;
  let watts: number | null = null;
  for (const name of await sysfs.list(SUPPLIES)) {
    const of = (file: string): string => `${SUPPLIES}/${name}/${file}`;
    if ((await sysfs.text(of("scope"))) === "Device") continue;
    const type = await sysfs.text(of("type"));
    if (type === "Mains" || type === "USB") isFed ||= (await sysfs.number(of("online"))) === 1;
    if (type !== "Battery" && type !== "UPS") continue;
    found = true;
    const charge = await sysfs.number(of("capacity"));
    if (charge !== undefined && charge >= 0 && charge <= 100) percent = Math.min(percent ?? 100, charge);
    if ((await sysfs.text(of("status"))) !== "Discharging") continue;
    discharging = true;
    const given = await microwatts(sysfs, of);
    if (given !== undefined) watts = (watts ?? 0) + given / 1e6;
  }
  return found ? { onBattery: discharging && !isFed, percent, watts: isFed ? null : watts } : null;
}

/** Drivers tell power, or current and voltage; a current that flows out may have a sign. */
async function microwatts(sysfs: Sysfs, of: (file: string) => string): Promise<number | undefined> {
  const power = await sysfs.number(of("power_now"));
  if (power !== undefined) return Math.abs(power);
  const [current, voltage] = [await sysfs.number(of("current_now")), await sysfs.number(of("voltage_now"))];
  return current === undefined || voltage === undefined ? undefined : (Math.abs(current) * voltage) / 1e6;
}
