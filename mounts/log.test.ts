import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import { openFileLog, withoutSecrets } from './log.js';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'butlerfs-log-'));
  file = join(directory, 'deep/mount.log');
});
afterEach(async () => await rm(directory, { recursive: true }));

test('writes JSON lines that only the user may read, above its level', async () => {
  const log = openFileLog(file, 'info');
  log.logger.debug('hidden');
  log.logger.error({ err: new ButlerfsError('wrong-size', { what: 'a file' }) }, 'shown');
  log.close();
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error', msg: 'shown', err: { code: 'wrong-size' } });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('stays within its limit, keeping one file before', async () => {
  const log = openFileLog(file, 'info', 1_000);
  for (let i = 0; i < 50; i++) log.logger.info({ i }, 'x'.repeat(50));
  log.close();
  expect((await stat(file)).size).toBeLessThanOrEqual(1_000);
  expect((await stat(`${file}.1`)).size).toBeLessThanOrEqual(1_000);
  expect(await readFile(file, 'utf8')).toContain('"i":49');
});

test('goes on in a new file after the old one was moved away', async () => {
  const log = openFileLog(file, 'info');
  log.logger.info('one');
  await rename(file, `${file}.old`);
  log.reopen();
  log.logger.info('two');
  log.close();
  expect(await readFile(file, 'utf8')).toContain('two');
  expect(await readFile(`${file}.old`, 'utf8')).not.toContain('two');
});

test('holds no secret', async () => {
  const log = openFileLog(file, 'info');
  log.logger.info(
    { password: 'hunter2', remote: { token: 'hunter2' }, url: 'https://me:hunter2@host/x' },
    'Authorization: Bearer hunter2hunter2',
  );
  log.close();
  expect(await readFile(file, 'utf8')).not.toContain('hunter2');
  expect(withoutSecrets('ftp://a:b@h/p https://h/p@q')).toBe('ftp://***@h/p https://h/p@q');
});
