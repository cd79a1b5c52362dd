// Lets a child process or a worker thread of a test run the sources: `node --import .../typescript.mjs script.ts`, or by importing this first.
// What was transpiled once is kept in node_modules/.cache by its content: starting the compiler takes seconds, and there are many children.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';

const kept = new URL('../../node_modules/.cache/butlerfs-transpiled/', import.meta.url);

if (!import.meta.url.endsWith('?hooks')) register(`${import.meta.url}?hooks`);

export function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier)) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  return { format: 'module', source: await transpiled(readFileSync(fileURLToPath(url), 'utf8')), shortCircuit: true };
}

async function transpiled(text) {
  const file = new URL(`${createHash('sha256').update(text).digest('hex')}.js`, kept);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { default: typescript } = await import('typescript');
  const { outputText } = typescript.transpileModule(text, {
    compilerOptions: { module: typescript.ModuleKind.ESNext, target: typescript.ScriptTarget.ES2022, inlineSourceMap: true },
  });
  mkdirSync(kept, { recursive: true });
  const temporary = new URL(`${process.pid}-${Math.random().toString(36).slice(2)}.part`, kept);
  writeFileSync(temporary, outputText);
  renameSync(temporary, file);
  return outputText;
}
