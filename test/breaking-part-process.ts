// Loaded before the program (`node --import`): a capability whose part does wrong in the way that `BROKEN_WAY` says, so that a real process
// of ours has it.
import { AsyncResource } from 'node:async_hooks'
import { systemClock } from '#kube/clock.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { doing } from './breaking-capability.ts'

/** What a part may do wrong. */
export const brokenWays = [
  'its start throws',
  'its start goes on for ever',
  'its timer throws',
  'its promise is rejected',
  'its handler throws, and nobody owns it',
  'its end throws',
  'its end never comes',
  'its end blocks the loop',
] as const
export type BrokenWay = (typeof brokenWays)[number]

const nobody = new AsyncResource('nobody')
const forEver = () => new Promise<never>(() => undefined)
const thrown = () => {
  throw new Error('broken on purpose')
}
const starts: Partial<Record<string, (...args: Parameters<Parameters<typeof doing>[1]>) => Promise<void> | void>> = {
  'its start throws': thrown,
  'its start goes on for ever': forEver,
  'its timer throws': ({ clock }) => void clock.schedule(10, thrown),
  'its promise is rejected': () => void Promise.reject(new Error('broken on purpose')),
  'its handler throws, and nobody owns it': () => void nobody.runInAsyncScope(() => systemClock.schedule(10, thrown)),
}
const ends: Partial<Record<string, () => Promise<void> | void>> = {
  'its end throws': thrown,
  'its end never comes': forEver,
  'its end blocks the loop': () => {
    for (;;);
  },
}
const way = process.env['BROKEN_WAY'] ?? ''
const none = () => undefined
const start: Parameters<typeof doing>[1] = async (context, signal) => {
  process.stderr.write('the broken part begins\n')
  await (starts[way] ?? none)(context, signal)
}
if (way !== '')
  Reflect.apply(Array.prototype.push, enabledCapabilities, [doing('broken', start, 'leading', { end: ends[way] ?? none })])
