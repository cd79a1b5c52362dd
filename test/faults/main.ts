/** `main.ts kill [COUNT]` | `main.ts share [SECONDS]`: the long forms of the suites of the cache. Prints a report; exit status 1 where anything was wrong. */

import { killDaemons } from './kill.js';
import { newSeed } from './random.js';
import { shareCache } from './share.js';

const [what, text] = process.argv.slice(2);
const seed = Number(process.env['CACHE_SEED'] ?? newSeed());

function number(otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (!(value > 0)) throw new Error(`a number is wanted, not '${text ?? ''}'`);
  return value;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

say(`seed ${seed}`);
if (what !== 'kill' && what !== 'share') throw new Error('kill [COUNT] or share [SECONDS]');
const report = what === 'kill' ? await killDaemons(number(200), seed, say) : await shareCache(number(300), seed);
const { violations, ...numbers } = report;
say(JSON.stringify(numbers));
for (const violation of violations.slice(0, 50)) say(violation);
say(violations.length === 0 ? 'everything was as it should be' : `${violations.length} things were wrong (seed ${seed})`);
process.exitCode = violations.length === 0 ? 0 : 1;
