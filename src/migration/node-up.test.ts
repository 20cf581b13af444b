import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isUp } from './node-up.ts'

interface Row {
  readonly ready?: boolean
  readonly running?: boolean
  readonly ends?: boolean
}

const podOf = ({ ready = false, running = true, ends = false }: Row, uid: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `mirror-${uid}`, uid, ...(ends ? { deletionTimestamp: '2026-03-02T04:00:00Z' } : {}) },
  status: {
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    containerStatuses: [{ name: 'registry', state: running ? { running: {} } : { waiting: { reason: 'CrashLoopBackOff' } } }],
  },
})

// biome-ignore format: a table
test.each([
  ['one that is Ready',                                    'spegel',  { ready: true },                0, true],
  ['ours that is Ready',                                   'ballast', { ready: true },                0, true],
  ['one that ends',                                        'spegel',  { ready: true, ends: true },    0, false],
  ['the first Spegel, which is never Ready alone',         'spegel',  {},                             0, true],
  ['the first Spegel, whose container does not run',       'spegel',  { running: false },             0, false],
  ['not the second Spegel, which finds the first',         'spegel',  {},                             1, false],
  ['not ours, which is Ready alone',                       'ballast', {},                             0, false],
] satisfies [string, 'spegel' | 'ballast', Row, number, boolean][])('there is %s', (_name, mark, row, others, expected) => {
  const pod = podOf(row, 'own')
  const all = [pod, ...Array.from({ length: others }, (_, at) => podOf({}, `other-${at}`))]
  expect(isUp(pod, all, mark === 'spegel')).toBe(expected)
})
