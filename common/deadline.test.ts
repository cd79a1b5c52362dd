import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortable, linkSignals, sleep, within } from './deadline.js';

describe('waits that end', () => {
  it('a sleep ends at once when its signal fires, and leaves no listener behind', async () => {
    const controller = new AbortController();
    const started = performance.now();
    const sleeping = sleep(10_000, controller.signal, 'the pause');
    controller.abort();
    await expect(sleeping).rejects.toMatchObject({ code: 'interrupted', message: 'the pause: interrupted' });
    expect(performance.now() - started).toBeLessThan(1000);
    const quiet = new AbortController();
    await sleep(1, quiet.signal);
    expect(getEventListeners(quiet.signal, 'abort')).toHaveLength(0);
  });

  it('a sleep whose signal has fired already does not begin', async () => {
    await expect(sleep(10_000, AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('an abortable promise gives its own outcome or the interruption, whichever comes first', async () => {
    const controller = new AbortController();
    expect(await abortable(Promise.resolve(7), controller.signal, 'seven')).toBe(7);
    await expect(abortable(Promise.reject(new Error('no')), controller.signal, 'no')).rejects.toThrow('no');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    const forever = abortable(new Promise<never>(() => undefined), controller.signal, 'forever');
    controller.abort();
    await expect(forever).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('a promise that is late fails with the error made for it', async () => {
    expect(await within(Promise.resolve('here'), 1000, () => new Error('late'))).toBe('here');
    await expect(within(new Promise(() => undefined), 5, () => new Error('late'))).rejects.toThrow('late');
  });

  it('a linked controller follows its signals until it is unlinked', () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const following = linkSignals(first.signal, undefined, second.signal);
    second.abort('why');
    expect(following.signal.reason).toBe('why');
    const unlinked = linkSignals(first.signal);
    unlinked.unlink();
    first.abort();
    expect(unlinked.signal.aborted).toBe(false);
    expect(getEventListeners(first.signal, 'abort')).toHaveLength(0);
    expect(linkSignals(AbortSignal.abort()).signal.aborted).toBe(true);
  });
});
