/**
 * better-sqlite3, in the major that runs on this Node.
 *
 * Version 12 is the last for Node 20, and its statements abort the process when they are collected on Node 24.19 and later (`RemoveEnvironmentCleanupHook`:
 * node::ObjectWrap changed under it). Version 13 is built on Node-API and needs Node 22. What is used of them is the same in both.
 */

import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { ButlerfsError } from '../../common/errors.js';

const major = Number(process.versions.node.split('.')[0]);
const name = major >= 22 ? 'better-sqlite3-13' : 'better-sqlite3';

export type Database = BetterSqlite3.Database;
export type Statement<Parameters extends unknown[], Result> = BetterSqlite3.Statement<Parameters, Result>;
export type RunResult = BetterSqlite3.RunResult;
export const Database: typeof BetterSqlite3 = load();

function load(): typeof BetterSqlite3 {
  try {
    return createRequire(import.meta.url)(name) as typeof BetterSqlite3;
  } catch (cause) {
    throw new ButlerfsError('configuration', {
      what: `the library ${name}`,
      why: `it is not installed for Node ${process.versions.node}`,
      advice: 'run npm install again with this Node; where no prebuilt binary can be fetched that needs g++, make and python3',
      cause,
    });
  }
}
