import { between, pick, type Random } from "../training/random.ts";
import type { Sample } from "../training/train.ts";

/** Pixels on each side of the image. */
export const SIDE = 32;

export const DEFECT_LABELS = ["ok", "scratch", "pit", "edge-chip", "stain"];

/**
 * A grayscale picture of brushed metal under a line-scan camera, values 0 to 1 in the camera's 8-bit steps: a
 * lighting gradient, brush lines, grain, and with equal chance of each class no defect or one of random place,
 * size and contrast.
 */
export function surfaceImage(random: Random): Sample {
  const label = pick(random, DEFECT_LABELS.length);
  const pixels = new Float64Array(SIDE * SIDE);
  addSurface(pixels, random);
  if (label === 1) addScratch(pixels, random);
  if (label === 2) addPit(pixels, random);
  if (label === 3) addChip(pixels, random);
  if (label === 4) addStain(pixels, random);
  const grain = between(random, 0.01, 0.04);
  const data = new Float32Array(pixels.length);
  for (let i = 0; i < data.length; i++) {
    const value = pixels[i]! + grain * (random() + random() + random() + random() - 2) * Math.sqrt(3);
    data[i] = Math.round(Math.min(1, Math.max(0, value)) * 255) / 255;
  }
  return { data, label };
}

function addSurface(pixels: Float64Array, random: Random): void {
  const brightness = between(random, 0.35, 0.65);
  const slopeX = between(random, -0.15, 0.15);
  const slopeY = between(random, -0.15, 0.15);
  const brush = between(random, 0.005, 0.04);
  for (let y = 0; y < SIDE; y++) {
    const line = brush * (2 * random() - 1);
    for (let x = 0; x < SIDE; x++) {
      pixels[y * SIDE + x] = brightness + line + slopeX * (x / SIDE - 0.5) + slopeY * (y / SIDE - 0.5);
    }
  }
}

/** A bright or dark line about one pixel wide across the brush direction. */
function addScratch(pixels: Float64Array, random: Random): void {
  const contrast = between(random, 0.1, 0.4) * (random() < 0.5 ? -1 : 1);
  const angle = between(random, 0.25, Math.PI - 0.25);
  const [directionX, directionY] = [Math.cos(angle), Math.sin(angle)];
  const [centerX, centerY] = [between(random, 8, SIDE - 8), between(random, 8, SIDE - 8)];
  const half = between(random, 5, 13);
  const width = between(random, 0.5, 1);
  addShape(pixels, (x, y) => {
    const along = (x - centerX) * directionX + (y - centerY) * directionY;
    const across = (x - centerX) * directionY - (y - centerY) * directionX;
    return Math.abs(along) > half || Math.abs(across) > 3 ? 0 : contrast * Math.exp(-((across / width) ** 2));
  });
}

/** A small dark crater with the bright rim that slanting light gives it. */
function addPit(pixels: Float64Array, random: Random): void {
  const depth = between(random, 0.17, 0.45);
  const radius = between(random, 1.4, 3);
  const [centerX, centerY] = [between(random, 4, SIDE - 4), between(random, 4, SIDE - 4)];
  addShape(pixels, (x, y) => {
    const distance = Math.hypot(x - centerX, y - centerY) / radius;
    return distance > 3
      ? 0
      : depth * (0.5 * Math.exp(-4 * (distance - 1.4) ** 2) - Math.exp(-(distance ** 2)));
  });
}

/** A bite out of one of the four edges, showing the dark background. */
function addChip(pixels: Float64Array, random: Random): void {
  const depth = between(random, 2, 6);
  const half = between(random, 2.5, 7);
  const place = between(random, half, SIDE - half);
  const level = between(random, 0.08, 0.25);
  const side = pick(random, 4);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const along = side < 2 ? x : y;
      const from = [y, SIDE - 1 - y, x, SIDE - 1 - x][side]!;
      const reach = depth * (1 - ((along - place) / half) ** 2);
      if (from < reach) pixels[y * SIDE + x] = level;
    }
  }
}

/** A wide, soft, weak discolouration. */
function addStain(pixels: Float64Array, random: Random): void {
  const contrast = between(random, 0.08, 0.25) * (random() < 0.7 ? -1 : 1);
  const [radiusX, radiusY] = [between(random, 4, 8), between(random, 4, 8)];
  const [centerX, centerY] = [between(random, 7, SIDE - 7), between(random, 7, SIDE - 7)];
  addShape(pixels, (x, y) => {
    const distance = Math.hypot((x - centerX) / radiusX, (y - centerY) / radiusY);
    return distance > 1.8 ? 0 : contrast / (1 + Math.exp(8 * (distance - 1)));
  });
}

function addShape(pixels: Float64Array, shade: (x: number, y: number) => number): void {
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) pixels[y * SIDE + x]! += shade(x, y);
  }
}
