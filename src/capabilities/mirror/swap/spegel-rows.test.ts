import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { mirrorConfiguration } from '../config.ts'
import { convertSpegel, spegelRows, spegelVersions } from './spegel-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/spegel/', import.meta.url)

function recorded(version: string): readonly string[] {
  const file = version === '0.8.0' ? '0.8' : version
  const document: unknown = JSON.parse(readFileSync(new URL(`${file}.keys.json`, folder), 'utf8'))
  const values: unknown = Reflect.get(Object(document), 'values')
  return Array.isArray(values) ? values.map(String) : []
}

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder)).toHaveLength(spegelVersions.length)
  })

  test.each(spegelVersions)('chart %s', version => {
    const rows = spegelRows(version)
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(50)
    const covered = (path: string) => rows.filter(row => path === row.path || path.startsWith(`${row.path}.`)).length
    expect(paths.filter(path => covered(path) !== 1 && !rows.some(row => row.path.startsWith(`${path}.`)))).toEqual([])
    const early = rows.filter(({ path, since }) => since !== undefined && paths.includes(path) && `${version}` < since)
    expect(early).toEqual([])
  })

  test('no row names a key that no chart has', () => {
    const all = spegelVersions.flatMap(recorded)
    const idle = spegelVersions
      .flatMap(spegelRows)
      .filter(({ path }) => !path.startsWith('kvick.') && path !== 'image.name')
      .filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

interface Case {
  readonly given: ValuesTree
  readonly version?: string
  readonly mirror: object
  readonly lines?: readonly string[]
}

const s = (spegel: ValuesTree): ValuesTree => ({ spegel })
const port = { enabled: true, ports: [30_020] }

const cases: Readonly<Record<string, Case>> = {
  'case 19 of packaging: nothing is said, the port is written out': { given: {}, mirror: port, lines: ['carried'] },
  'nothing is said to the line after 0.7': { given: {}, version: '0.8.0', mirror: port },
  'case 18 of packaging: the seed': {
    given: {
      service: { registry: { hostPort: 29_999 } },
      spegel: {
        containerdSock: '/run/containerd/containerd.sock',
        containerdRegistryConfigPath: '/etc/cri/conf.d/hosts',
      },
      serviceMonitor: { enabled: true },
      grafanaDashboard: { enabled: true },
    },
    mirror: {
      enabled: true,
      ports: [29_999],
      containerdSock: '/run/containerd/containerd.sock',
      containerdRegistryConfigPath: '/etc/cri/conf.d/hosts',
    },
    lines: Array(5).fill('carried'),
  },
  'case 18: the line after 0.7 does not know the host port': {
    given: { service: { registry: { hostPort: 29_999 } } },
    version: '0.8.0',
    mirror: port,
    lines: ['unknown', 'carried'],
  },
  'both ports': {
    given: { service: { registry: { nodePort: 31_000, hostPort: 29_999 } } },
    mirror: { enabled: true, ports: [29_999, 31_000] },
  },
  'the node port of the line after 0.7': {
    given: { service: { registry: { nodePort: 31_000 } } },
    version: '0.8.0',
    mirror: { enabled: true, ports: [31_000] },
  },
  'the Service alone': {
    given: { service: { registry: { usePreferSameNodeTrafficDistribution: true } } },
    mirror: { enabled: true, ports: [30_021] },
  },
  'registries of 0.3 without a scheme': {
    given: s({ mirroredRegistries: ['ghcr.io', 'https://quay.io', '_default'] }),
    version: '0.3.0',
    mirror: { ...port, registries: ['https://ghcr.io', 'https://quay.io', '_default'] },
  },
  'tags and the old flag for latest': {
    given: s({ resolveTags: false, resolveLatestTag: false, registryFilters: ['^docker.io/'] }),
    version: '0.5.1',
    mirror: { ...port, tags: 'never', filters: ['^docker.io/', ':latest$'] },
  },
  'nobody writes': { given: s({ containerdMirrorAdd: false }), mirror: { ...port, nodeConfiguration: { mode: 'none' } } },
  'the operator writes': {
    given: { ...s({ containerdMirrorAdd: false }), kvick: { nodeReadiness: { enabled: true } } },
    mirror: { ...port, nodeConfiguration: { mode: 'operator' } },
  },
  'existing hosts': {
    given: s({ prependExisting: true }),
    mirror: { ...port, nodeConfiguration: { existing: 'prepend' } },
  },
  'the rest by its name': {
    given: {
      ...s({
        mirrorResolveRetries: 5,
        mirrorResolveTimeout: '50ms',
        containerdNamespace: 'x',
        containerdContentPath: '/c',
        debugWebEnabled: false,
        additionalMirrorTargets: ['http://a:1'],
        persistence: { enabled: true, path: '/p', hostPath: '/h' },
      }),
      basicAuthSecretName: 'auth',
    },
    mirror: {
      ...port,
      mirrorResolveRetries: 5,
      mirrorResolveTimeout: '50ms',
      containerdNamespace: 'x',
      containerdContentPath: '/c',
      debugWebEnabled: false,
      additionalTargets: ['http://a:1'],
      persistence: { enabled: true, path: '/p', hostPath: '/h' },
      basicAuthSecretName: 'auth',
    },
  },
  'image credentials are refused': {
    given: { kvick: { imageCredentials: { enforcement: 'Every' } } },
    mirror: port,
    lines: ['lost', 'carried'],
  },
  'a port that is none': {
    given: { service: { registry: { hostPort: 'x' } } },
    mirror: port,
    lines: ['lost', 'carried'],
  },
}

test.each(Object.entries(cases))('%s', (_, { given, version = '0.7.4', mirror, lines }) => {
  const { values, report } = convertSpegel({ values: given, version, namespace: 'spegel' })
  const section = valueAt(values, ['capabilities', 'mirror'])
  expect(section).toEqual(mirror)
  if (lines !== undefined) expect(report.map(({ kind }) => kind)).toEqual(lines)
  if (!isTree(section)) return
  const { enabled: _enabled, ...config } = section
  expect(mirrorConfiguration.safeParse(config).error).toBeUndefined()
})

test('labels of the dashboard of 0.3, and what was measured for upstream', () => {
  const { values, isLossy } = convertSpegel({
    values: { grafanaDashboard: { enabled: true, sidecarLabel: 'find-me' }, resources: { limits: { memory: '128Mi' } } },
    version: '0.3.0',
    namespace: undefined,
  })
  expect(values).toMatchObject({ grafanaDashboard: { enabled: true, labels: { 'find-me': '1' } } })
  expect(isLossy).toBe(false)
})
