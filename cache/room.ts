/** Room on the disk of the cache: what is free, less what transfers under way will take, above the floor. */

import { ButlerfsError } from '../common/errors.js';
import { defaultFloor, diskSpace } from './space.js';

/** A transfer whose size is not known looks at the floor again after so many bytes. */
const UNFORESEEN = 8 * 1024 ** 2;

/** Room promised to one transfer. */
export interface Reservation {
  /** So many bytes of it are on the disk now. Throws `cache-full` where the transfer has become longer than was foreseen and the floor is reached. */
  wrote(bytes: number): void;
  /** The transfer is over. Idempotent. */
  end(): void;
}

export class Room {
  readonly #directory: string;
  readonly #floor: number | undefined;
  /** Bytes promised and not yet written. */
  #promised = 0;

  /** `floor` in bytes; absent: the default of the disk. */
  constructor(directory: string, floor: number | undefined) {
    this.#directory = directory;
    this.#floor = floor;
  }

  /** Bytes; undefined where the disk does not answer. */
  get free(): number | undefined {
    return diskSpace(this.#directory)?.free;
  }

  get floor(): number | undefined {
    if (this.#floor !== undefined) return this.#floor;
    const space = diskSpace(this.#directory);
    return space && defaultFloor(space);
  }

  /** Bytes that must go so that `bytes` more leave the floor, or `share` of it; zero or less where there is room. */
  missing(bytes: number, share = 1): number {
    const space = diskSpace(this.#directory);
    if (space === undefined) return 0;
    const floor = this.#floor ?? defaultFloor(space);
    return Math.ceil(floor * share) + this.#promised + bytes - space.free;
  }

  /** Throws `cache-full` where there is no such room. */
  reserve(bytes: number): Reservation {
    if (this.missing(bytes) > 0) throw this.#full(bytes);
    let [left, unforeseen] = [bytes, 0];
    this.#promised += bytes;
    return {
      wrote: (count) => {
        const foreseen = Math.min(left, count);
        left -= foreseen;
        this.#promised -= foreseen;
        unforeseen += count - foreseen;
        if (unforeseen < UNFORESEEN) return;
        unforeseen = 0;
        if (this.missing(0) > 0) throw this.#full(UNFORESEEN);
      },
      end: () => {
        this.#promised -= left;
        left = 0;
      },
    };
  }

  #full(bytes: number): ButlerfsError {
    const space = diskSpace(this.#directory) ?? { free: 0, total: 0 };
    const floor = this.#floor ?? defaultFloor(space);
    return new ButlerfsError('cache-full', {
      what: `storing ${bytes} bytes`,
      where: this.#directory,
      why: `its disk has ${space.free} bytes free, and ${floor} of them are to stay free`,
      advice: 'free some space, lower --cache-free, or put the cache on a larger disk with --cache',
    });
  }
}
