// A server that fails once, at each work on what a driver writes down on shares: who asks again has what they asked for, and nothing is left over.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkFailed } from '../src/capabilities/nfs/files/file-work-failed.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import type { CsiCall, CsiMessage } from './csi-wire.ts'
import { siteOf, startedWith } from './nfs-attach-site.ts'
import { treeLines } from './nfs-export-tree.ts'
import { beside, serviceOf, snapshotsOf, volumes, type Workers } from './nfs-groups-site.ts'
import { InProcessSite } from './nfs-played-site.ts'
import { capability } from './nfs-requests.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

const failures = ['EIO', 'ESTALE', 'ENOSPC', 'EROFS', 'EACCES', 'DEADLINE', 'WORKER_ENDED'] as const
const codes = /^(INTERNAL|RESOURCE_EXHAUSTED|PERMISSION_DENIED|DEADLINE_EXCEEDED)\b/

/** What is said where people can do something about it. */
const says: Readonly<Partial<Record<(typeof failures)[number], RegExp>>> = {
  ENOSPC: /^RESOURCE_EXHAUSTED .* on nas:\/export: /,
  EROFS: /^PERMISSION_DENIED .* on nas:\/export: .*\(the export is read-only\)$/,
  EACCES: /^PERMISSION_DENIED .* on nas:\/export: .*\(the driver works as user 0: does the export map root to another user/,
  DEADLINE: /^DEADLINE_EXCEEDED .* on nas:\/export: /,
}

interface FailingWorkers extends Workers {
  readonly failed: () => boolean
}

/** The `nth` work fails, before or after it was done. */
function failingAt(nth: number, code: string, when: 'before' | 'after'): FailingWorkers {
  let count = 0
  const fail = () => {
    throw new FileWorkFailed(code, `work ${nth} fails with ${code}`)
  }
  return {
    failed: () => count >= nth,
    run: async (work, options) => {
      const isNth = ++count === nth
      if (isNth && when === 'before') fail()
      const result = await workers.run(work, options)
      return isNth ? fail() : result
    },
  }
}

/** Plays `round` with a failure at each work, until there is none at which it could be. @returns how often */
async function atEach(code: string, round: (failing: FailingWorkers) => Promise<void>): Promise<number> {
  for (let nth = 1; ; nth++)
    for (const when of ['before', 'after'] as const) {
      const failing = failingAt(nth, code, when)
      await round(failing)
      if (!failing.failed()) return nth - 1
    }
}

/** What comes of a call that is made again where it failed, as callers do. */
async function asked<T>(call: () => Promise<T | string>): Promise<T | string> {
  const first = await call()
  return typeof first === 'string' && codes.test(first) ? await call() : first
}

describe.skipIf(process.platform !== 'linux').each(failures)('where a server fails once with %s', code => {
  test('a group is made and removed by who asks again', async () => {
    const works = await atEach(code, async failing => {
      using site = new InProcessSite()
      const share = volumes(site)
      await using service = serviceOf(site, failing)
      expect(snapshotsOf(await asked(() => service.create()))).toHaveLength(2)
      expect(beside(share)).toHaveLength(3)
      expect(await asked(() => service.get())).toMatchObject({ isReadyToUse: true })
      expect(await asked(() => service.remove())).toBeUndefined()
      expect(beside(share)).toEqual([])
    })
    expect(works).toBeGreaterThan(10)
  })

  test('a node has a volume, and loses it, by who asks again', async () => {
    const works = await atEach(code, async failing => {
      using place = siteOf()
      await using driver = await startedWith(failing)(place)
      expect(await asked(() => driver.attach('n1'))).toBe('OK')
      expect(await asked(() => driver.attach('n2'))).toMatch(/^FAILED_PRECONDITION .* node n1/)
      for (const node of ['n1', 'n2']) {
        expect(await asked(() => driver.detach(node))).toBe('OK')
        expect(await asked(() => driver.attach('n2'))).toBe('OK')
      }
      expect(await asked(() => driver.detach('n2'))).toBe('OK')
      expect(place.records()).toEqual([])
    })
    expect(works).toBeGreaterThan(10)
  })

  test('volumes are made, filled, snapshotted and removed by who asks again, as if nothing had happened', async () => {
    const undisturbed = await volumesWith(workers)
    expect(undisturbed.told.filter(line => !line.endsWith(' OK'))).toEqual([])
    const works = await atEach(code, async failing => {
      expect(await volumesWith(failing, says[code])).toEqual(undisturbed)
    })
    expect(works).toBeGreaterThan(12)
  })
})

/** The life of a volume, its snapshot, what is restored of it and its clone: how each call ended, and what lay on the server when all were there and at the end. */
async function volumesWith(from: Workers, said = codes) {
  using site = new InProcessSite()
  const share = site.addShare('nas', 'export')
  await using driver = await site.start([], from)
  const told: string[] = []
  const ask = async (call: CsiCall, request: CsiMessage) => {
    let { code, message } = await driver.client.ask(call, request)
    if (code !== 'OK') {
      expect(`${code} ${message}`).toMatch(said)
      code = (await driver.client.ask(call, request)).code
    }
    told.push(`${call} ${code}`)
  }
  const parameters = { server: 'nas', share: '/export', mountPermissions: '0770' }
  const create = (name: string, more: CsiMessage = {}) =>
    ask('CreateVolume', { name, volumeCapabilities: [capability()], parameters, ...more })
  await create('pvc-1')
  mkdirSync(join(share, 'pvc-1', 'inner'))
  writeFileSync(join(share, 'pvc-1', 'inner', 'file'), 'data')
  await ask('CreateSnapshot', { name: 's', sourceVolumeId: 'nas#export#pvc-1##' })
  const snapshotId = 'nas#export#s#s#pvc-1'
  await create('pvc-2', { volumeContentSource: { snapshot: { snapshotId } } })
  await create('pvc-3', { volumeContentSource: { volume: { volumeId: 'nas#export#pvc-1##' } } })
  const made = treeLines(site.exports)
  for (const volumeId of ['nas#export#pvc-1##', 'nas#export#pvc-2##archive', 'nas#export#pvc-3##retain'])
    await ask('DeleteVolume', { volumeId })
  await ask('DeleteSnapshot', { snapshotId })
  return { told, made, left: treeLines(site.exports) }
}
