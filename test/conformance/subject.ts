/** One subject of a conformance suite. */

import { beforeAll, describe, expect, it } from 'vitest';
import type { Target } from './target.js';

/** Where a target lacks what would make it one value. */
export const anyBoolean = expect.any(Boolean) as boolean;
export const anyNumber = expect.any(Number) as number;
export const anyArray = expect.any(Array) as unknown[];
export const anything = expect.anything() as unknown;

/** Describes a subject; at its end what was made is compared with what is behind the mount. */
export function describeSubject(target: Target, title: string, tests: () => void): void {
  describe(title, () => {
    beforeAll(() => {
      target.begin(title.replaceAll(' ', '-'));
    });
    tests();
    it('what was made is behind the mount as it is seen in it', () => target.expectSame());
  });
}
