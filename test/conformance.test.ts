/**
 * What POSIX and Linux say of files, directories, names, times, locks and mappings, on real mounts of a plain directory: each subject of
 * test/conformance/ on each way of mounting.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeLinks } from './conformance/links.js';
import { describeNames } from './conformance/names.js';
import { describePermissions } from './conformance/permissions.js';
import { describeRenames } from './conformance/renames.js';
import { describeSetId } from './conformance/set-id.js';
import { describeSizes } from './conformance/sizes.js';
import { describeTimes } from './conformance/times.js';
import { describeMappings } from './conformance/mappings.js';
import { describeNameless } from './conformance/nameless.js';
import { describeSpecialFiles } from './conformance/special-files.js';
import { describeExtendedAttributes } from './conformance/extended-attributes.js';
import { describeDirectories } from './conformance/directories.js';
import { describeLocks } from './conformance/locks.js';
import { describeSyncing } from './conformance/syncing.js';
import { describeRaces } from './conformance/races.js';
import { describeWatching } from './conformance/watching.js';
import { removeLongDirectory } from './conformance/long-directory.js';
import { type Held, type Target } from './conformance/target.js';
import { targets } from './conformance/targets.js';
import { eventually } from './support/temporary.js';

const SUBJECTS: readonly ((target: Target) => void)[] = [
  describeNames,
  describeLinks,
  describeRenames,
  describePermissions,
  describeSetId,
  describeTimes,
  describeSizes,
  describeMappings,
  describeNameless,
  describeSpecialFiles,
  describeExtendedAttributes,
  describeDirectories,
  describeLocks,
  describeSyncing,
  describeRaces,
  describeWatching,
];

afterAll(removeLongDirectory);

describe.each(targets().map((target) => [target.name, target] as const))('%s', (_, target) => {
  let before: Held;
  let descriptorsBefore: number;

  beforeAll(async () => {
    await target.start();
    if (!target.isMounted) return;
    // What is opened once and kept is open from here on.
    target.begin('first');
    await target.run("make('file', b'x'); read('file'); os.listdir('.')");
    await target.shrink();
    before = await target.held();
    descriptorsBefore = target.openDescriptors();
  });
  afterAll(() => target.dispose());

  for (const describeOn of SUBJECTS) describeOn(target);

  describe('in the end', () => {
    it('nothing is held that nobody uses', async () => {
      if (!target.isMounted) return;
      await target.shrink();
      await eventually('the last descriptor closing', () => target.openDescriptors() <= descriptorsBefore).catch(() => undefined);
      // Less where the kernel still held something when it was looked at first.
      const now = await target.held();
      for (const [what, count] of Object.entries(now)) expect(count, what).toBeLessThanOrEqual(before[what as keyof Held]);
      expect(target.openDescriptors()).toBeLessThanOrEqual(descriptorsBefore);
    });

    it('all is behind the mount as it is seen, also when the kernel looks at it anew', async () => {
      await target.expectSame('');
    });

    it('the daemon had nothing to complain of', () => {
      expect(target.complaints()).toBe('');
    });
  });
});
