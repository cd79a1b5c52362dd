import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { projectDirectory } from '../common/program-file.js';

/** Messages of the import rule for a text that stands, for lint's purposes, where the file `place` is. */
async function importErrors(place: string, text: string): Promise<string[]> {
  const lint = new ESLint({
    cwd: projectDirectory(),
    // The import rule needs no types, and the text is not the file's.
    overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
    ruleFilter: ({ ruleId }) => ruleId === 'no-restricted-imports' || ruleId === 'no-restricted-syntax',
  });
  const results = await lint.lintText(text, { filePath: place });
  return results.flatMap((result) => result.messages.map((message) => message.message));
}

describe('the room rule', () => {
  it.each([
    ['fs/contract.ts', "import { fetch } from 'undici';"],
    ['fs/contract.ts', "import { assemble } from '../proxy/assemble.js';"],
    ['fs/contract.ts', "import { openCatalogue } from '../registry/catalogue.js';"],
    ['registry/contract.ts', "import type { ObjectCache } from '../cache/contract.js';"],
    ['common/errors.ts', "import type { Catalogue } from '../registry/contract.js';"],
    ['cache/contract.ts', "import { run } from '../test/support/run.js';"],
    ['mounts/contract.ts', "import { main } from '../cli/main.js';"],
  ])('refuses in %s: %s', async (place, text) => {
    const errors = await importErrors(place, text);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('docs/architecture.md');
  });

  it('says why', async () => {
    const [error] = await importErrors('fs/contract.ts', "import Database from 'better-sqlite3';");
    expect(error).toContain('fs/ knows nothing of HTTP or SQL: it works with the contracts it is given');
  });

  it.each([
    ['fs/contract.ts', "import type { Catalogue } from '../registry/contract.js';"],
    ['fs/contract.ts', "import type { ObjectReader } from '../cache/contract.js';"],
    ['mounts/contract.ts', "import type { Remote } from '../proxy/contract.js';"],
    ['cache/contract.ts', "import { ButlerfsError } from '../common/errors.js';"],
  ])('allows in %s: %s', async (place, text) => {
    expect(await importErrors(place, text)).toEqual([]);
  });

  it('refuses a default export', async () => {
    expect(await importErrors('fs/contract.ts', 'export default 1;')).toHaveLength(1);
  });
});
