/** What each kind of sky map says of its tracts; the rest is the same for all ({@link openSkyMap}). */

import type { SkyPosition } from './contract.js';
import type { TractPlan } from './tract.js';

export interface TractLayout {
  readonly tractCount: number;
  /** `tract` is in range. */
  plan(tract: number): TractPlan;
  /** Number of the tract that a position belongs to. */
  find(position: SkyPosition): number;
  /** Numbers, in order, of tracts that may come within `reach` degrees of the position with their centres; undefined: any. */
  near(position: SkyPosition, reach: number): readonly number[] | undefined;
  /** Half the side of the largest tract at least, degrees, where it is less than a few. */
  readonly halfSide: number | undefined;
  /** What a digest holds beside the name of the kind and what all kinds have. */
  readonly digested: Uint8Array;
}
