/** A device with its site. */
export interface Placed {
  device: string;
  site: string;
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
 * The order in which devices are taken: one of each site in turn, sites and devices of a site in an order drawn
 * from `seed`. The first n devices are thus spread over as many sites as can be, since a site fails together.
 */
export function spreadOrder<T extends Placed>(devices: readonly T[], seed: number): T[] {
  const random = generator(seed);
  const sites = new Map<string, T[]>();
  const sorted = devices.toSorted((a, b) => (a.device < b.device ? -1 : 1));
  for (const device of sorted) {
    const there = sites.get(device.site);
    if (there) there.push(device);
    else sites.set(device.site, [device]);
  }
  const names = shuffle([...sites.keys()].sort(), random);
  const queues = names.map((site) => shuffle(sites.get(site) ?? [], random));
  const longest = Math.max(0, ...queues.map((queue) => queue.length));
  const order: T[] = [];
  for (let round = 0; round < longest; round += 1)
    for (const queue of queues) {
      const device = queue[round];
      if (device) order.push(device);
    }
  return order;
}
