// Drivers that are killed at each of their works on what they write down on shares: which node has a volume, and which snapshots are a group.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { attachments } from '../src/capabilities/nfs/jobs/attach/attachment-decision.ts'
import { siteOf, startedWith } from './nfs-attach-site.ts'
import { beside, groupSnapshotId, isGroup, serviceOf, snapshotsOf, volumes } from './nfs-groups-site.ts'
import { attachedSite } from './nfs-jobs-attach-site.ts'
import { killedAt } from './nfs-killed-works.ts'
import { InProcessSite } from './nfs-played-site.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

describe.skipIf(process.platform !== 'linux')('a driver that attaches volumes', () => {
  test('is killed at each work on its records: asked again, it has done what it was asked', async () => {
    let kills = 0
    for (let nth = 1, isOver = false; !isOver; nth++) {
      for (const when of ['before', 'after'] as const) {
        using place = siteOf()
        const killed = killedAt(workers, nth, when)
        {
          await using driver = await startedWith(killed)(place)
          await driver.attach('n1')
          await driver.detach('n1')
          isOver = !killed.isKilled()
          if (!isOver) kills++
        }
        await using driver = await startedWith(workers)(place)
        // A second node is refused as long as the first one has it, and has it when that is sorted out.
        expect(await driver.attach('n1')).toBe('OK')
        expect(await driver.attach('n2')).toMatch(/^FAILED_PRECONDITION .* node n1/)
        expect(await driver.detach('n1')).toBe('OK')
        expect(await driver.attach('n2')).toBe('OK')
        expect(await driver.detach('n2')).toBe('OK')
        expect(place.records()).toEqual([])
      }
    }
    // The wish, its becoming a record, and its removal.
    expect(kills).toBe(6)
  }, 60_000)
})

describe.skipIf(process.platform !== 'linux')('a group of snapshots', () => {
  test('is whole or not there, wherever its driver is killed: asked again it is made, and removed', async () => {
    let kills = 0
    for (let nth = 1, isOver = false; !isOver; nth++) {
      for (const when of ['before', 'after'] as const) {
        using site = new InProcessSite()
        const share = volumes(site)
        const killed = killedAt(workers, nth, when)
        {
          await using service = serviceOf(site, killed)
          await service.create()
        }
        isOver = !killed.isKilled()
        if (isOver) break
        kills++
        await using service = serviceOf(site, workers)
        const isThere = existsSync(join(share, '.ballast-groups', 'g-1.group'))
        // Who looks through the share meets no archive of a group that is not there.
        if (!isThere) expect(beside(share).filter(name => isGroup.test(name))).toEqual([])
        const found = await service.get()
        if (isThere) expect(found).toMatchObject({ groupSnapshotId, isReadyToUse: true })
        else expect(found).toMatch(/^NOT_FOUND/)
        const made = await service.create()
        expect(snapshotsOf(made)).toHaveLength(2)
        if (isThere) expect(made).toEqual(found)
        expect(beside(share)).toHaveLength(3)
        await service.remove()
        expect(beside(share)).toEqual([])
      }
    }
    expect(kills).toBeGreaterThan(10)
  }, 60_000)

  test('is gone or whole, wherever its driver is killed while it removes it', async () => {
    let kills = 0
    for (let nth = 1, isOver = false; !isOver; nth++) {
      for (const when of ['before', 'after'] as const) {
        using site = new InProcessSite()
        const share = volumes(site)
        {
          await using service = serviceOf(site, workers)
          await service.create()
        }
        const killed = killedAt(workers, nth, when)
        {
          await using service = serviceOf(site, killed)
          await service.remove()
        }
        isOver = !killed.isKilled()
        if (isOver) break
        kills++
        await using service = serviceOf(site, workers)
        const found = await service.get()
        if (typeof found === 'string') expect(found).toMatch(/^NOT_FOUND .*#group is not there$/)
        else expect(beside(share)).toHaveLength(3)
        await (nth % 2 === 0 ? service.remove() : service.create())
        await service.remove()
        expect(beside(share)).toEqual([])
      }
    }
    expect(kills).toBeGreaterThan(6)
  }, 60_000)
})

test('an attacher that is killed at each of its effects attaches, detaches, and lets volumes go', async () => {
  let kills = 0
  for (let effect = 1, isOver = false; !isOver; effect++)
    for (const when of ['before', 'after'] as const) {
      await using site = await attachedSite(undefined, { effect, when })
      await site.attach('a', 'n1')
      await site.until(() => site.attachment('a')?.status?.attached === true)
      expect([...site.driver.attached]).toEqual(['nas#export#plex## on n1'])
      await site.delete(builtIn.persistentvolumes, 'pv-plex')
      await site.delete(attachments, 'a')
      await site.until(() => site.volumes().length === 1)
      expect(site.attachment('a')).toBeUndefined()
      expect([...site.driver.attached]).toEqual([])
      expect([...site.forbidden, ...site.errors]).toEqual([])
      if (site.started > 1) kills++
      else isOver = true
    }
  // Finalizers of both, the node's name, the call and what is told of it; the call, and both finalizers again.
  expect(kills).toBe(16)
})
