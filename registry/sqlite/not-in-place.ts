/** What makes the caller of an update build the catalogue anew. */

import { ButlerfsError } from '../../common/errors.js';

export class NotInPlace extends ButlerfsError {
  constructor(why: string) {
    super('unsupported', { what: 'updating the catalogue in place', why });
  }
}

export function notInPlace(why: string): NotInPlace {
  return new NotInPlace(why);
}
