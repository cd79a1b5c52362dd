/** `butlerfs explain PATH` */

import type { Command } from 'commander';

export function define(program: Command): void {
  program
    .command('explain')
    .summary('say how a path on a mount resolves, or why not')
    .description('Says how a path on a mount resolves, or why it does not: the unknown key, the nearest values, the collections searched.')
    .argument('<path>', 'a path on a mount; it need not exist')
    .action(async (path: string) => {
      const [{ findMount }, { explainOn }, { print }] = await Promise.all([
        import('./find-mount.js'),
        import('../mounts/explain.js'),
        import('./output.js'),
      ]);
      const { state, below } = await findMount(path);
      await print(await explainOn(state, below));
    });
}
