/** `butlerfs pack [SOURCE] KEY=VALUE ...` */

import type { Command } from 'commander';
import { addPackerOptions, checkKeys, choosePacker } from './choose-packer.js';
import type { PackerChoice, PackerFlags } from './choose-packer.js';
import type { PackableDataId, Packer } from '../sky/packing/contract.js';

export function define(program: Command): void {
  const command = program
    .command('pack')
    .summary('data IDs as integers')
    .description(
      'Packs data IDs into integers, as the packers of their repository do: one that is given in words, each line of standard input, or the rows of a file of numpy.',
    )
    .usage('[options] [source|mountpoint] [key=value...]')
    .argument('[words...]', 'a source or mount point whose records say how large numbers are (or --packer), and a data ID');
  addPackerOptions(command).action(async (words: readonly string[], flags: PackerFlags) => {
    const [{ parseKeyValues }, { sourceOf }] = await Promise.all([import('../mounts/options.js'), import('./packing-words.js')]);
    const source = sourceOf(words, flags);
    const given = parseKeyValues(words.slice(source === undefined ? 0 : 1));
    const choice = { flags, source, given };
    if (flags.input !== undefined) await packFile(choice, flags.input);
    else if (Object.keys(given).some((key) => key !== 'instrument' && key !== 'skymap')) await packWords(choice);
    else await packLines(choice);
  });
}

type Choice = Omit<PackerChoice, 'keys'>;

async function packWords({ given, ...choice }: Choice): Promise<void> {
  const packer = await choosePacker({ ...choice, given, keys: Object.keys(given) });
  checkKeys(packer, Object.keys(given));
  await give(packer, [packer.pack(given)], choice.flags);
}

async function packFile({ given, ...choice }: Choice, file: string): Promise<void> {
  const { readDataIds } = await import('./array-files.js');
  const columns = await readDataIds(file);
  const packer = await choosePacker({ ...choice, given, keys: Object.keys(columns) });
  checkKeys(packer, Object.keys(columns));
  await give(packer, packer.packColumns(columns), choice.flags);
}

async function packLines({ given, ...choice }: Choice): Promise<void> {
  const [{ inLine, inputLines, packedLine, parseDataId }, { Output }] = await Promise.all([
    import('./packed-lines.js'),
    import('./output.js'),
  ]);
  const { flags } = choice;
  const output = new Output();
  const kept: bigint[] = [];
  let packer: Packer | undefined;
  try {
    for await (const { line, number } of inputLines()) {
      const dataId: PackableDataId = { ...given, ...inLine(number, () => parseDataId(line)) };
      packer ??= await choosePacker({ ...choice, given: dataId, keys: Object.keys(dataId) });
      const chosen = packer;
      const packed = inLine(number, () => {
        checkKeys(chosen, Object.keys(dataId));
        return chosen.pack(dataId);
      });
      if (flags.output === undefined) await output.write(packedLine(packed, chosen, flags.json === true));
      else kept.push(packed);
    }
  } finally {
    // What came before a line that is wrong is right.
    await output.flush();
  }
  if (flags.output !== undefined) await (await import('./array-files.js')).writePacked(flags.output, BigUint64Array.from(kept));
}

async function give(packer: Packer, packed: BigUint64Array | readonly bigint[], { output: file, json }: PackerFlags): Promise<void> {
  if (file !== undefined) {
    await (await import('./array-files.js')).writePacked(file, BigUint64Array.from(packed));
    return;
  }
  const [{ packedLine }, { Output }] = await Promise.all([import('./packed-lines.js'), import('./output.js')]);
  const output = new Output();
  for (const one of packed) await output.write(packedLine(one, packer, json === true));
  await output.flush();
}
