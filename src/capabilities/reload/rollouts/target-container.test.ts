import { describe, expect, test } from 'vitest'
import { podUse } from '#cluster/references.ts'
import { usedKeys } from '../sources/key-use.ts'
import type { SourceReference } from '../sources/source-state.ts'
import { targetContainer } from './target-container.ts'

const configmap: SourceReference = { type: 'configmap', namespace: 'default', name: 'cfg' }
const secret: SourceReference = { ...configmap, type: 'secret' }
const providerClass: SourceReference = { ...configmap, type: 'secretproviderclass', name: 'spc' }

const volume = (name: string, source: Readonly<Record<string, unknown>>) => ({ name, ...source })
const ofConfigmap = { configMap: { name: 'cfg' } }
const mounting = (name: string, ...volumes: readonly string[]) => ({
  name,
  volumeMounts: volumes.map(one => ({ name: one, mountPath: `/${one}` })),
})
const reading = (name: string, source: Readonly<Record<string, unknown>>) => ({ name, env: [{ name: 'X', valueFrom: source }] })

describe('the container that takes the mark', () => {
  test.each<[string, unknown, SourceReference, { readonly used: string | undefined; readonly named: string | undefined }]>([
    [
      'C1 the second mounts it',
      { volumes: [volume('v', ofConfigmap)], containers: [mounting('a'), mounting('b', 'v')] },
      configmap,
      { used: 'b', named: 'b' },
    ],
    [
      'C2 only an init container mounts it',
      { volumes: [volume('v', ofConfigmap)], containers: [{ name: 'a' }, { name: 'b' }], initContainers: [mounting('i', 'v')] },
      configmap,
      { used: 'a', named: 'a' },
    ],
    [
      'C3 a projected Secret',
      {
        volumes: [volume('v', { projected: { sources: [{ configMap: { name: 'cfg2' } }, { secret: { name: 'cfg' } }] } })],
        containers: [mounting('a'), mounting('b', 'v')],
      },
      secret,
      { used: 'b', named: 'b' },
    ],
    [
      'C4 an init container reads it, and there is no other',
      { initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'cfg' } }] }] },
      configmap,
      { used: undefined, named: undefined },
    ],
    [
      'C5 a volume of the Secrets Store driver, whoever drives it',
      {
        volumes: [volume('v', { csi: { driver: 'x', volumeAttributes: { secretProviderClass: 'spc' } } })],
        containers: [mounting('a'), mounting('b', 'v')],
      },
      providerClass,
      { used: 'b', named: 'b' },
    ],
    [
      'a ConfigMap is no Secret of its name',
      { volumes: [volume('v', ofConfigmap)], containers: [mounting('a', 'v')] },
      secret,
      { used: undefined, named: 'a' },
    ],
    [
      'an init container that mounts it comes before a container that reads it',
      {
        volumes: [volume('v', ofConfigmap)],
        containers: [{ name: 'a' }, reading('b', { configMapKeyRef: { name: 'cfg', key: 'k' } })],
        initContainers: [mounting('i', 'v')],
      },
      configmap,
      { used: 'a', named: 'a' },
    ],
    [
      'valueFrom of a key',
      { containers: [{ name: 'a' }, reading('b', { secretKeyRef: { name: 'cfg', key: 'k' } })] },
      secret,
      { used: 'b', named: 'b' },
    ],
    [
      'a volume that nobody mounts, and a container that reads it',
      {
        volumes: [volume('v', ofConfigmap)],
        containers: [{ name: 'a' }, reading('b', { configMapKeyRef: { name: 'cfg', key: 'k' } })],
      },
      configmap,
      { used: 'b', named: 'b' },
    ],
    [
      'ours: a second volume of it, where nobody mounts the first',
      { volumes: [volume('v', ofConfigmap), volume('w', ofConfigmap)], containers: [mounting('a'), mounting('b', 'w')] },
      configmap,
      { used: 'b', named: 'b' },
    ],
    [
      'the first volume decides, where both are mounted',
      { volumes: [volume('v', ofConfigmap), volume('w', ofConfigmap)], containers: [mounting('a', 'w'), mounting('b', 'v')] },
      configmap,
      { used: 'b', named: 'b' },
    ],
    ['nobody uses it', { containers: [{ name: 'a' }, { name: 'b' }] }, configmap, { used: undefined, named: 'a' }],
    [
      'image pull secrets are no use',
      { containers: [{ name: 'a' }], imagePullSecrets: [{ name: 'cfg' }] },
      secret,
      { used: undefined, named: 'a' },
    ],
    [
      'ephemeral containers are none',
      { ephemeralContainers: [reading('e', { configMapKeyRef: { name: 'cfg' } })] },
      configmap,
      { used: undefined, named: undefined },
    ],
    ['no pod at all', undefined, configmap, { used: undefined, named: undefined }],
  ])('%s', (_, spec, reference, { used, named }) => {
    const pod = podUse(spec)
    expect(targetContainer(pod, reference, { mustUse: true })).toBe(used)
    expect(targetContainer(pod, reference, { mustUse: false })).toBe(named)
  })
})

describe('P6 the keys that a template uses', () => {
  const items = [
    { key: 'a', path: 'dir/a.txt' },
    { key: 'b', path: 'b.txt' },
  ]
  const mount = (name: string, subPath?: string) => ({ name, mountPath: '/x', ...(subPath !== undefined && { subPath }) })
  test.each<[string, unknown, readonly string[] | 'all']>([
    ['valueFrom', { containers: [reading('a', { configMapKeyRef: { name: 'cfg', key: 'k' } })] }, ['k']],
    ['envFrom', { containers: [{ name: 'a', envFrom: [{ configMapRef: { name: 'cfg' } }] }] }, 'all'],
    ['a whole mount', { volumes: [volume('v', ofConfigmap)], containers: [mounting('a', 'v')] }, 'all'],
    ['items', { volumes: [volume('v', { configMap: { name: 'cfg', items } })], containers: [mounting('a', 'v')] }, ['a', 'b']],
    [
      'subPath without items is the key itself',
      { volumes: [volume('v', ofConfigmap)], containers: [{ name: 'a', volumeMounts: [mount('v', 'app.yaml')] }] },
      ['app.yaml'],
    ],
    [
      'subPath of an item',
      {
        volumes: [volume('v', { configMap: { name: 'cfg', items } })],
        containers: [{ name: 'a', volumeMounts: [mount('v', 'b.txt')] }],
      },
      ['b'],
    ],
    [
      'subPath of a directory of items',
      {
        volumes: [volume('v', { configMap: { name: 'cfg', items } })],
        containers: [{ name: 'a', volumeMounts: [mount('v', 'dir/')] }],
      },
      ['a'],
    ],
    [
      'subPath with a variable',
      {
        volumes: [volume('v', ofConfigmap)],
        containers: [{ name: 'a', volumeMounts: [{ ...mount('v'), subPathExpr: '$(POD).txt' }] }],
      },
      'all',
    ],
    [
      'one container a key, another all',
      { volumes: [volume('v', ofConfigmap)], containers: [{ name: 'a', volumeMounts: [mount('v', 'k')] }, mounting('b', 'v')] },
      'all',
    ],
    [
      'several ways together, init containers too',
      {
        volumes: [volume('v', { projected: { sources: [{ configMap: { name: 'cfg', items: [{ key: 'p', path: 'p' }] } }] } })],
        containers: [mounting('a', 'v')],
        initContainers: [reading('i', { configMapKeyRef: { name: 'cfg', key: 'k' } })],
      },
      ['k', 'p'],
    ],
    ['a volume that nobody mounts', { volumes: [volume('v', ofConfigmap)], containers: [{ name: 'a' }] }, 'all'],
    ['nothing of it', { containers: [{ name: 'a' }] }, 'all'],
  ])('%s', (_, spec, expected) => {
    const used = usedKeys(podUse(spec), configmap)
    expect(used === 'all' ? used : [...used].toSorted()).toEqual(expected)
  })
})
