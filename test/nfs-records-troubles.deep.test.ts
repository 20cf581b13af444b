// A server that fails once, at each work on what a driver writes down on shares: who asks again has what they asked for, and nothing is left over.

import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkFailed } from '../src/capabilities/nfs/files/file-work-failed.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { siteOf, startedWith } from './nfs-attach-site.ts'
import { beside, serviceOf, snapshotsOf, volumes, type Workers } from './nfs-groups-site.ts'
import { InProcessSite } from './nfs-played-site.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

const failures = ['EIO', 'ESTALE', 'ENOSPC', 'EROFS', 'EACCES', 'DEADLINE', 'WORKER_ENDED'] as const
const codes = /^(INTERNAL|RESOURCE_EXHAUSTED|PERMISSION_DENIED|DEADLINE_EXCEEDED)\b/

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
})
