/** What the order of devices looks at. */
export interface Placed {
  id: string;
  site: string;
  hardwareClass: string;
}

/** Pseudo-random numbers from 0 to 1 (mulberry32): the same seed gives the same order on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffle<T>(items: T[], random: () => number): T[] {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [items[index], items[other]] = [items[other] as T, items[index] as T];
  }
  return items;
}

/**
 * The order in which devices are taken, drawn from `seed` and the same for any order of `devices`. `random` does
 * not look at places. With `spread` the first n devices are at as many sites as can be, since a site fails
 * together, and of each hardware class in proportion, every class once before others come again where sites
 * allow it.
 */
export function orderOf<T extends Placed>(
  devices: readonly T[],
  order: "spread" | "random",
  seed: number,
): T[] {
  const random = generator(seed);
  const shuffled = shuffle(
    devices.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    random,
  );
  return order === "random" ? shuffled : spread(shuffled);
}

/** Rounds over the sites, one device of each in a round; the class that is most behind goes first. */
function spread<T extends Placed>(devices: readonly T[]): T[] {
  const classes = [...classesOf(devices).values()].sort((a, b) => a.sites.size - b.sites.size);
  const order: T[] = [];
  while (order.length < devices.length) {
    const visited = new Set<string>();
    const turns = classes.map((one) => ({ one, sites: [...one.sites.keys()], next: 0 }));
    for (;;) {
      let turn: (typeof turns)[number] | undefined;
      for (const other of turns)
        if (hasNext(other, visited) && (!turn || isBehind(other.one, turn.one))) turn = other;
      if (!turn) break;
      const site = turn.sites[turn.next] as string;
      visited.add(site);
      order.push(takeOf(turn.one, site));
    }
  }
  return order;
}

interface Class<T> {
  size: number;
  taken: number;
  /** Devices that are left, by site, both in the order drawn. */
  sites: Map<string, T[]>;
}

/** By the share of its devices that was taken, so that no wave takes all of a small class. */
const isBehind = (one: Class<unknown>, other: Class<unknown>): boolean =>
  one.taken * other.size < other.taken * one.size;

function classesOf<T extends Placed>(devices: readonly T[]): Map<string, Class<T>> {
  const classes = new Map<string, Class<T>>();
  for (const device of devices.toReversed()) {
    const one: Class<T> = classes.get(device.hardwareClass) ?? { size: 0, taken: 0, sites: new Map() };
    classes.set(device.hardwareClass, one);
    const there = one.sites.get(device.site) ?? [];
    one.sites.set(device.site, there);
    there.push(device);
    one.size += 1;
  }
  return classes;
}

/** Goes on to the first site that this round has not visited; false where there is none. */
function hasNext(turn: { sites: readonly string[]; next: number }, visited: ReadonlySet<string>): boolean {
  while (turn.next < turn.sites.length && visited.has(turn.sites[turn.next] as string)) turn.next += 1;
  return turn.next < turn.sites.length;
}

function takeOf<T>(one: Class<T>, site: string): T {
  const there = one.sites.get(site) as T[];
  const device = there.pop() as T;
  if (there.length === 0) one.sites.delete(site);
  one.taken += 1;
  return device;
}
