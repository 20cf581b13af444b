import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { podUse, referencesOf } from './references.ts'

describe('what a template refers to', () => {
  test('by every way there is, each once, in the order of first use', () => {
    const spec = {
      volumes: [
        { name: 'c', configMap: { name: 'files', items: [{ key: 'a', path: 'x/a' }], optional: true } },
        { name: 's', secret: { secretName: 'cert' } },
        {
          name: 'p',
          projected: { sources: [{ secret: { name: 'token' } }, { configMap: { name: 'files' } }, { downwardAPI: {} }] },
        },
        { name: 'k', csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: 'vault' } } },
        { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
        { name: 'i', image: { reference: 'models:1' } },
        { name: 'e', emptyDir: {} },
      ],
      containers: [
        {
          name: 'app',
          image: 'app:1',
          env: [
            { name: 'PLAIN', value: 'x' },
            { name: 'PLAIN', value: 'y' },
            { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'env', key: 'k' } } },
            { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'p', optional: true } } },
          ],
          envFrom: [{ secretRef: { name: 'all' } }, { prefix: 'X_', configMapRef: { name: 'env' } }],
          volumeMounts: [
            { name: 'c', mountPath: '/c', subPath: 'x/a' },
            { name: 's', mountPath: '/s' },
          ],
        },
      ],
      initContainers: [{ name: 'init', image: 'app:1', envFrom: [{ configMapRef: { name: 'start' } }] }],
      ephemeralContainers: [{ name: 'debug', image: 'debug:1' }],
      imagePullSecrets: [{ name: 'registry' }],
    }
    const use = podUse(spec)
    expect(referencesOf(use).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'ConfigMap files',
      'Secret cert',
      'Secret token',
      'SecretProviderClass vault',
      'PersistentVolumeClaim data',
      'Image models:1',
      'ConfigMap env',
      'Secret login',
      'Secret all',
      'Image app:1',
      'ConfigMap start',
    ])
    expect(use.volumes[0]).toEqual({
      kind: 'ConfigMap',
      name: 'files',
      volume: 'c',
      keys: ['a'],
      paths: ['x/a'],
      isOptional: true,
    })
    expect(use.containers[0]?.mounts).toEqual([
      { volume: 'c', subPath: 'x/a' },
      { volume: 's', subPath: undefined },
    ])
    expect(use.containers[0]?.variables.get('PLAIN')).toBe('x')
    expect(use.containers[0]?.environment.map(({ key }) => key)).toEqual(['k', 'p', undefined, undefined])
  })

  test('names of prototypes are names', () => {
    const spec = { containers: [{ name: '__proto__', envFrom: [{ configMapRef: { name: 'constructor' } }] }] }
    expect(referencesOf(podUse(spec))).toEqual([{ kind: 'ConfigMap', name: 'constructor' }])
    expect(referencesOf(podUse(JSON.parse('{"__proto__":{"volumes":[{"name":"v","configMap":{"name":"x"}}]}}')))).toEqual([])
  })
})

const names = [
  'containers',
  'initContainers',
  'volumes',
  'env',
  'envFrom',
  'valueFrom',
  'configMapKeyRef',
  'configMap',
  'projected',
  'sources',
  'items',
  'name',
  'key',
  'volumeMounts',
  '__proto__',
  'csi',
  'volumeAttributes',
]

test('no spec stops the reading', () => {
  const anything = fc.object({
    key: fc.constantFrom(...names),
    maxDepth: 5,
    withNullPrototype: true,
    values: [fc.string(), fc.constant(null), fc.integer(), fc.boolean()],
  })
  fc.assert(
    fc.property(fc.oneof(anything, fc.anything()), spec => {
      for (const { name } of referencesOf(podUse(spec))) expect(typeof name).toBe('string')
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  null,
  [],
  'spec',
  { containers: null },
  { containers: {} },
  { containers: [null, 7, 'x', []] },
  { containers: [{ env: null, envFrom: [null], volumeMounts: 'x' }] },
  { volumes: [{ projected: { sources: null } }, { secret: [] }, { configMap: { name: 5 } }] },
])('%j refers to nothing', spec => {
  expect(referencesOf(podUse(spec))).toEqual([])
})
