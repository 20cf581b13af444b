import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { FakeMachine } from '../testdata/fake-machine.ts'
import { Mounter, MountFailed } from './mounter.ts'
import { SharedMounts } from './shared-mounts.ts'

async function site() {
  const root = await temporaryDirectory()
  const clock = new VirtualClock(0)
  const machine = new FakeMachine({ root: join(root, 'servers'), below: join(root, 'below'), clock })
  const mounter = new Mounter({ run: machine.run, table: machine.table, clock })
  const directory = join(root, 'work')
  mkdirSync(directory)
  const shares = () => new SharedMounts({ mounter, directory, clock, log: silentLog, spoils: error => error === spoiling })
  const mounts = () => machine.commands.filter(line => line.startsWith('mount'))
  return { clock, machine, directory, shares, mounts, mounter }
}

const spoiling = new Error('stale')
const share = { source: 'nas:/export', options: ['nfsvers=4.1'] }

test('calls for one share have one mount, which goes a minute after the last of them', async () => {
  const { shares, mounts, clock, machine } = await site()
  const all = shares()
  const paths = await Promise.all(Array.from({ length: 100 }, () => all.using(share, async path => path)))
  expect([new Set(paths).size, mounts().length, all.size]).toEqual([1, 1, 1])
  await clock.advance(59_000)
  await all.using(share, async () => undefined)
  await clock.advance(59_000)
  expect([mounts().length, machine.table.mounts().length]).toEqual([1, 1])
  await clock.advance(1_000)
  expect([machine.table.mounts().length, all.size, existsSync(paths[0] ?? '')]).toEqual([0, 0, false])
  await all.using(share, async () => undefined)
  expect(mounts()).toHaveLength(2)
})

test('other options are another mount', async () => {
  const { shares, mounts } = await site()
  const all = shares()
  await all.using(share, () => all.using({ ...share, options: [] }, async () => undefined))
  expect(mounts()).toHaveLength(2)
})

test('a mount that fails is told to all who wait, and tried again by the next', async () => {
  const { shares, machine, mounts } = await site()
  const all = shares()
  machine.tell('nas', { fail: 'mount.nfs: Connection refused' })
  const calls = [1, 2].map(() => all.using(share, async () => undefined))
  for (const call of calls) await expect(call).rejects.toBeInstanceOf(MountFailed)
  machine.tell('nas', undefined)
  await all.using(share, async () => undefined)
  expect(mounts()).toHaveLength(2)
})

test('a mount that is of no use any more is left to its users, and the next call has a new one', async () => {
  const { shares, machine, mounts } = await site()
  const all = shares()
  const held = Promise.withResolvers<void>()
  const other = all.using(share, async path => {
    await held.promise
    return path
  })
  const failed = all.using(share, async () => {
    throw spoiling
  })
  await expect(failed).rejects.toBe(spoiling)
  const fresh = await all.using(share, async path => path)
  expect([mounts().length, machine.table.mounts().length]).toEqual([2, 2])
  held.resolve()
  expect(await other).not.toBe(fresh)
  await expect.poll(() => machine.table.mounts().map(({ target }) => target)).toEqual([fresh])
})

test('what an earlier process left is taken away first', async () => {
  const { shares, machine, mounter, directory } = await site()
  await shares().using(share, async () => undefined)
  mkdirSync(join(directory, 'other'))
  await mounter.mount({ source: 'nas:/x', target: join(directory, 'other'), options: [] })
  await shares().sweep()
  expect(machine.table.mounts().map(({ target }) => target)).toEqual([join(directory, 'other')])
})

test('all goes when the controller stops', async () => {
  const { shares, machine } = await site()
  const all = shares()
  await all.using(share, async () => undefined)
  await all[Symbol.asyncDispose]()
  expect(machine.table.mounts()).toEqual([])
})

test('a mount that fails again fails at the same place, so that what is told of it is one thing', async () => {
  const { shares, machine, mounts } = await site()
  const all = shares()
  machine.tell('nas', { fail: 'mount.nfs: Connection refused' })
  for (const _time of [1, 2, 3]) await expect(all.using(share, async () => undefined)).rejects.toBeInstanceOf(MountFailed)
  expect(new Set(mounts()).size).toBe(1)
})
