// A share with 100,000 folders: it is listed in pages, whose size bounds what is held, and every folder comes once.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { InProcessSite } from './nfs-played-site.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())
const folders = 100_000

test('100,000 folders are listed once each, 5,000 at most in an answer', async () => {
  using site = new InProcessSite()
  const share = site.addShare('candlekeep', 'kubernetes')
  for (let number = 0; number < folders; number++) mkdirSync(join(share, `pvc-${number}`))
  await using driver = await site.start(['--list-shares=candlekeep:/kubernetes'], workers)
  const found = new Set<string>()
  let startingToken = ''
  let pages = 0
  let largest = 0
  do {
    const { code, response } = await driver.client.ask('ListVolumes', { startingToken })
    expect(code).toBe('OK')
    const { entries = [], nextToken = '' } = (response ?? {}) as {
      entries?: readonly { readonly volume: { readonly volumeId: string } }[]
      nextToken?: string
    }
    for (const { volume } of entries) found.add(volume.volumeId)
    largest = Math.max(largest, entries.length)
    startingToken = nextToken
    pages++
  } while (startingToken !== '')
  expect([found.size, largest, pages]).toEqual([folders, 5_000, 20])
  // What is sought is not there: the call ends all the same, with a place to go on from.
  const none = await driver.client.ask('ListSnapshots', {})
  expect([none.code, none.response?.['entries'], typeof none.response?.['nextToken']]).toEqual(['OK', undefined, 'string'])
})
