import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hostClock } from '#kube/clock.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { FakeMachine } from '../testdata/fake-machine.ts'
import { Mounter } from './mounter.ts'
import type { RunProgram } from './program.ts'

async function site({ run, speed = 1 }: { readonly run?: (machine: FakeMachine) => RunProgram; readonly speed?: number } = {}) {
  const root = await temporaryDirectory()
  const clock = hostClock({ speed })
  const machine = new FakeMachine({ root: join(root, 'servers'), below: join(root, 'below'), clock })
  const mounter = new Mounter({ run: run?.(machine) ?? machine.run, table: machine.table, clock })
  const targets: string[] = []
  const mounted = async (server: string, options: readonly string[] = []) => {
    const target = join(root, `t${targets.length}`)
    targets.push(target)
    mkdirSync(target)
    await mounter.mount({ source: `${server}:/export`, target, options })
    return target
  }
  const since = () => machine.commands.splice(0)
  return { machine, mounter, mounted, since }
}

test('where there is no mount.nfs, and where mount is to make something of the options, mount is started', async () => {
  const absent: (machine: FakeMachine) => RunProgram = machine => async (program, args, options) =>
    program === 'mount.nfs'
      ? { code: undefined, output: 'spawn mount.nfs ENOENT', isLate: false, isAbsent: true, gone: Promise.resolve() }
      : await machine.run(program, args, options)
  const without = await site({ run: absent })
  const first = await without.mounted('nas', ['hard,ro'])
  expect(without.since()).toEqual([`mount -t nfs -o hard,ro nas:/export ${first}`])
  const { mounted, since } = await site()
  const second = await mounted('nas', ['hard', '_netdev'])
  expect(since()).toEqual([`mount -t nfs -o hard,_netdev nas:/export ${second}`])
})

test('a program that ends well and has mounted nothing, as with `bg`, has failed', async () => {
  const later: (machine: FakeMachine) => RunProgram = () => async () => ({
    ...{ code: 0, output: '', isLate: false, isAbsent: false, gone: Promise.resolve() },
  })
  const { mounted } = await site({ run: later })
  await expect(mounted('nas', ['bg'])).rejects.toThrow(/^mount.nfs says that nas:\/export is mounted, and nothing is at .* yet$/)
})

test('unmounts that are asked for at once have one program for each server', async () => {
  const { mounter, mounted, since, machine } = await site()
  const all = await Promise.all(['a', 'a', 'a', 'b', '[fd00::1]', '[fd00::1]'].map(server => mounted(server)))
  since()
  const ends = await Promise.all(all.map(target => mounter.unmount(target)))
  expect(since().toSorted()).toEqual(
    [`umount -i ${all.slice(0, 3).join(' ')}`, `umount -i ${all.slice(4).join(' ')}`, `umount -i ${all[3]}`].toSorted(),
  )
  expect([machine.table.mounts(), ends.map(({ step }) => step)]).toEqual([[], all.map(() => 'unmounted')])
})

test('no more than sixteen have one', async () => {
  const { mounter, mounted, since } = await site()
  const all = await Promise.all(Array.from({ length: 33 }, () => mounted('a')))
  since()
  await Promise.all(all.map(target => mounter.unmount(target)))
  expect(since().map(line => line.split(' ').length - 2)).toEqual([16, 16, 1])
})

test('one that is busy goes on alone, by force, and is told as if it had been alone; others have gone', async () => {
  const { mounter, mounted, since, machine } = await site()
  const all = await Promise.all(['a', 'a', 'a'].map(server => mounted(server)))
  const [, busy = '', held = ''] = all
  machine.stuck.set(busy, 2)
  machine.stuck.set(held, 9)
  since()
  const ends = await Promise.allSettled(all.map(target => mounter.unmount(target)))
  expect(ends).toMatchObject([
    { value: { step: 'unmounted' } },
    { value: { step: 'forced' } },
    {
      reason: {
        message: `unmount failed: ${held} is still mounted; umount: umount: ${held}: target is busy.; umount -f: umount: ${held}: target is busy.`,
      },
    },
  ])
  expect(since().slice(1).toSorted()).toEqual(
    [busy, held].flatMap(target => [`umount -i ${target}`, `umount -i -f ${target}`]).toSorted(),
  )
})

test('a program that stands still for a second holds up nobody longer: each goes on alone', async () => {
  const { mounter, mounted, machine } = await site({ speed: 1_000 })
  const all = await Promise.all(['a', 'a'].map(server => mounted(server)))
  machine.tell('umount', { hang: true })
  const ends = Promise.all(all.map(target => mounter.unmount(target)))
  await expect.poll(() => machine.commands.filter(line => line.startsWith('umount')).length).toBe(3)
  machine.tell('umount', undefined)
  expect((await ends).map(({ step }) => step)).toEqual(['unmounted', 'unmounted'])
})

test('of mounts on each other each is taken away without force', async () => {
  const { mounter, mounted, machine } = await site()
  const target = await mounted('a')
  const [below] = machine.table.mounts()
  const table = {
    ...machine.table,
    at: (place: string) => (place === target && isAbove ? { ...machine.table.at(place), ...above } : machine.table.at(place)),
  }
  let isAbove = true
  const above = { id: 'above', target, fsType: 'nfs4', source: 'a:/above', options: [] }
  const commands: string[] = []
  const stacked = new Mounter({
    run: async (program, args, options) => {
      commands.push([program, ...args].join(' '))
      if (!isAbove) return await machine.run(program, args, options)
      isAbove = false
      return { code: 0, output: '', isLate: false, isAbsent: false, gone: Promise.resolve() }
    },
    table,
    clock: hostClock(),
  })
  expect(await stacked.unmount(target)).toEqual({ step: 'unmounted', isLeft: true })
  expect(await stacked.unmount(target)).toEqual({ step: 'unmounted', isLeft: false })
  expect([commands, below?.target, mounter.isMounted(target)]).toEqual([
    [`umount -i ${target}`, `umount -i ${target}`],
    target,
    false,
  ])
})
