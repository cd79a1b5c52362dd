/** Which elements of a universe have regions or time spans: read from the universe's own configuration (`topology`). */

import { z } from 'zod';
import type { DimensionElement, ElementUniverse } from '../universe.js';

const shape = z.looseObject({
  topology: z.looseObject({ spatial: z.record(z.string(), z.array(z.string())).nullish() }).nullish(),
});

const known = new WeakMap<ElementUniverse, readonly (readonly DimensionElement[])[]>();

/** Families of elements with regions, within each the finest first: `visit_detector_region` before `visit`. Empty for a universe that says nothing of it. */
export function spatialFamilies(universe: ElementUniverse): readonly (readonly DimensionElement[])[] {
  let families = known.get(universe);
  if (families === undefined) {
    const parsed = shape.safeParse(JSON.parse(universe.json));
    const named = Object.values((parsed.success ? parsed.data.topology?.spatial : undefined) ?? {});
    families = named.map((names) => names.flatMap((name) => universe.element(name) ?? []));
    known.set(universe, families);
  }
  return families;
}
