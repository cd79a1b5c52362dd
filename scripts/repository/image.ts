/** Synthetic pixels: sky background with noise and a few stars, the same for the same seed text. */

import { createHash } from 'node:crypto';
import type { Image } from './fits.js';

/** Uniform random numbers in [0, 1) from a text (mulberry32). */
function uniform(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A star field of `side` x `side` pixels: background 100 with noise of 3 counts, about one star to 200 pixels. */
export function starField(side: number, seed: string): Image {
  const random = uniform(seed);
  const pixels = new Float32Array(side * side);
  for (let index = 0; index < pixels.length; index++) {
    pixels[index] = 100 + 3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }
  const stars = Math.max(3, Math.round((side * side) / 200));
  for (let star = 0; star < stars; star++) addStar(pixels, side, random() * side, random() * side, 50 + 850 * random() ** 3);
  return { side, pixels };
}

/** Adds a round Gaussian of sigma 1.2 pixels, out to 4 pixels. */
function addStar(pixels: Float32Array, side: number, centreX: number, centreY: number, peak: number): void {
  for (let y = Math.max(0, Math.floor(centreY - 4)); y < Math.min(side, centreY + 4); y++) {
    for (let x = Math.max(0, Math.floor(centreX - 4)); x < Math.min(side, centreX + 4); x++) {
      const distance2 = (x - centreX) ** 2 + (y - centreY) ** 2;
      pixels[y * side + x]! += peak * Math.exp(-distance2 / (2 * 1.2 ** 2));
    }
  }
}
