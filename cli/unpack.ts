/** `butlerfs unpack [SOURCE] INTEGER ...` */

import type { Command } from 'commander';
import { addPackerOptions, choosePacker } from './choose-packer.js';
import type { PackerFlags } from './choose-packer.js';
import type { PackableDataId, Packer } from '../sky/packing/contract.js';

export function define(program: Command): void {
  const command = program
    .command('unpack')
    .summary('integers as data IDs')
    .description(
      'Unpacks integers into the data IDs that they were packed from: those that are given, each line of standard input, or an array of numpy.',
    )
    .usage('[options] [source|mountpoint] [instrument=name|skymap=name] [integer...]')
    .argument('[words...]', 'a source or mount point whose records say how large numbers are (or --packer), and packed integers');
  addPackerOptions(command).action(async (words: readonly string[], flags: PackerFlags) => {
    const [{ parseKeyValues }, { sourceOf }, { parsePacked }] = await Promise.all([
      import('../mounts/options.js'),
      import('./packing-words.js'),
      import('./packed-lines.js'),
    ]);
    const source = sourceOf(words, flags);
    const rest = words.slice(source === undefined ? 0 : 1);
    const given = parseKeyValues(rest.filter((word) => word.includes('=')));
    const packed = rest.filter((word) => !word.includes('=')).map(parsePacked);
    const packer = await choosePacker({ flags, source, given, keys: [] });
    if (flags.input !== undefined) {
      const { readPacked } = await import('./array-files.js');
      await giveMany(packer, await readPacked(flags.input), flags);
    } else if (packed.length > 0 && flags.output !== undefined) await giveMany(packer, BigUint64Array.from(packed), flags);
    else if (packed.length > 0) {
      await giveRows(
        packer,
        packed.map((one) => packer.unpack(one)),
        flags,
      );
    } else await unpackLines(packer, flags);
  });
}

async function giveMany(packer: Packer, packed: BigUint64Array, flags: PackerFlags): Promise<void> {
  const columns = packer.unpackColumns(packed);
  if (flags.output !== undefined) {
    await (await import('./array-files.js')).writeDataIds(flags.output, columns);
    return;
  }
  const { rowsOf } = await import('./packed-lines.js');
  await giveRows(packer, rowsOf(columns, packer.fixed), flags);
}

async function giveRows(packer: Packer, rows: Iterable<PackableDataId>, { json }: PackerFlags): Promise<void> {
  const [{ dataIdLine }, { Output }] = await Promise.all([import('./packed-lines.js'), import('./output.js')]);
  const output = new Output();
  for (const row of rows) await output.write(dataIdLine(row, packer, json === true));
  await output.flush();
}

async function unpackLines(packer: Packer, flags: PackerFlags): Promise<void> {
  const [{ dataIdLine, inLine, inputLines, parsePacked }, { Output }] = await Promise.all([
    import('./packed-lines.js'),
    import('./output.js'),
  ]);
  if (flags.output !== undefined) {
    const packed: bigint[] = [];
    for await (const { line, number } of inputLines()) packed.push(inLine(number, () => parsePacked(line)));
    await giveMany(packer, BigUint64Array.from(packed), flags);
    return;
  }
  const output = new Output();
  for await (const { line, number } of inputLines()) {
    await output.write(
      dataIdLine(
        inLine(number, () => packer.unpack(parsePacked(line))),
        packer,
        flags.json === true,
      ),
    );
  }
  await output.flush();
}
