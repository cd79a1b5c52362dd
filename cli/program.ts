/** The commander program: what all verbs share. */

import { Command, CommanderError } from 'commander';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { version } from './version.js';

/** What a verb's module exports: it adds its command to the program. What it needs to run it imports when it runs. */
export interface VerbModule {
  readonly define: (program: Command) => void;
}

export type Verbs = Readonly<Record<string, () => Promise<VerbModule>>>;

export function createProgram(): Command {
  return new Command('butlerfs')
    .description('Mounts astronomical data repositories as directories whose paths are data IDs.')
    .version(version(), '-V, --version', 'show the version')
    .option('--debug', 'show the trace of an error')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [verb]', 'show help of a verb')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

/** Runs a command line (without node and script), importing only the verb that it names. Throws ButlerfsError `usage` for a wrong one. */
export async function run(words: readonly string[], verbs: Verbs): Promise<void> {
  const program = createProgram();
  const name = words.find((word) => !word.startsWith('-'));
  const only = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  const modules = await Promise.all(only === undefined ? Object.values(verbs).map((load) => load()) : [only()]);
  for (const { define } of modules) define(program);
  if (name !== undefined && name !== 'help' && only === undefined) throw unknownVerb(name, Object.keys(verbs));
  try {
    if (name === undefined && words.every((word) => word === '--debug')) {
      throw new ButlerfsError('usage', { what: 'no verb is given', advice: 'butlerfs --help shows them' });
    }
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw usageError(error, name);
  }
}

function unknownVerb(name: string, verbs: readonly string[]): ButlerfsError {
  return new ButlerfsError('usage', {
    what: `unknown verb '${name}'`,
    advice: didYouMean(nearestNames(name, verbs, 1)) ?? `known verbs: ${verbs.join(', ')}`,
  });
}

/** Commander's message as one clause, and where to look. */
function usageError(error: CommanderError, verb: string | undefined): ButlerfsError {
  const [what, ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/^\((Did.*)\)$/, (_, text: string) => `${text[0]!.toLowerCase()}${text.slice(1)}`);
  return new ButlerfsError('usage', {
    what: what ?? 'wrong usage',
    advice: suggestion === '' ? `butlerfs ${verb === undefined ? '' : `${verb} `}--help shows how` : suggestion,
    cause: error,
  });
}
