import { expect, test } from 'vitest'
import type { Pod, Taint, Toleration } from '#kube/objects/objects.ts'
import { toleratedMs } from './taint-eviction.ts'

const nowMs = Date.parse('2026-01-01T00:01:00Z')
const taint: Taint = { key: 'k', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }

function pod(tolerations: readonly Toleration[]): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [], tolerations } }
}

// biome-ignore format: a table
test.each<[string, readonly Toleration[], readonly Taint[], number | undefined]>([
  ['no taint', [], [], undefined],
  ['a taint of another effect', [], [{ ...taint, effect: 'NoSchedule' }], undefined],
  ['not tolerated', [], [taint], 0],
  ['tolerated for ever', [{ key: 'k', operator: 'Exists' }], [taint], undefined],
  ['tolerated for 300 s of which 60 are gone', [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }], [taint], 240_000],
  ['the shortest time counts', [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }, { operator: 'Exists', tolerationSeconds: 90 }], [taint], 30_000],
  ['time is over', [{ key: 'k', operator: 'Exists', tolerationSeconds: 30 }], [taint], -30_000],
  ['a taint without a time begins now', [{ key: 'k', operator: 'Exists', tolerationSeconds: 30 }], [{ key: 'k', effect: 'NoExecute' }], 30_000],
  ['one of two taints not tolerated', [{ key: 'k', operator: 'Exists' }], [taint, { ...taint, key: 'other' }], 0],
])('%s', (_, tolerations, taints, expected) => {
  expect(toleratedMs(pod(tolerations), taints, nowMs)).toBe(expected)
})
