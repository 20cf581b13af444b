import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredVolume } from '../jobs/storage-kinds.ts'
import { fillOf, nextDue } from './usage-job.ts'
import { readUse, useAnnotation, writeUse } from './use-annotation.ts'

const hour = 3_600_000

const volume = (
  name: string,
  atMs: number | undefined,
  of: { readonly driver?: string; readonly phase?: string } = {},
): StoredVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: {
    name,
    ...(atMs === undefined ? {} : { annotations: { [useAnnotation]: writeUse({ bytes: 1, entries: 1, at: atMs }, undefined) } }),
  },
  spec: { csi: { driver: of.driver ?? 'nfs.csi.k8s.io', volumeHandle: name } },
  status: { phase: of.phase ?? 'Bound' },
})

test('the volume whose walk is longest ago comes first, one that was never walked before all', () => {
  const options = { driver: 'nfs.csi.k8s.io', everyMs: 12 * hour, nowMs: 20 * hour }
  const due = (...all: readonly StoredVolume[]) => {
    const next = nextDue(all, options)
    return next === undefined ? undefined : [next.volume.metadata.name, next.dueMs / hour]
  }
  expect(due(volume('a', 10 * hour), volume('b', 9 * hour))).toEqual(['b', 21])
  expect(due(volume('a', 1 * hour), volume('b', undefined))).toEqual(['a', 13])
  expect(due(volume('a', 10 * hour), volume('b', undefined))).toEqual(['b', 20])
  expect(due(volume('future', 30 * hour))).toEqual(['future', 20])
  expect(due(volume('other', undefined, { driver: 'x' }), volume('free', undefined, { phase: 'Available' }))).toBeUndefined()
})

test.each([
  [0, 100n, 'below'],
  [79, 100n, 'below'],
  [80, 100n, 'nearly'],
  [100, 100n, 'above'],
  [5, 0n, 'below'],
])('%d of %d bytes is %s', (use, asked, fill) => {
  expect(fillOf(use, asked)).toBe(fill)
})

test('what is written is read, and what others write is none of ours', () => {
  const before = { bytes: 1, entries: 2, at: 3 }
  expect(readUse(writeUse({ bytes: 4, entries: 5, at: 6, isPartial: true }, before))).toEqual({
    ...{ bytes: 4, entries: 5, at: 6, isPartial: true },
    before: { bytes: 1, at: 3 },
  })
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      const read = readUse(text)
      expect(read === undefined || read.bytes >= 0).toBe(true)
    }),
  )
})
