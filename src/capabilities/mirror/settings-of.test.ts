import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { mirrorConfiguration } from './config.ts'
import { type RegistryFlags, upstreamDefaults, withFlags } from './registry-flags.ts'
import { type MirrorPlace, settingsOf, slowPatterns } from './settings-of.ts'

const settings = (section: object = {}, place: MirrorPlace = {}) => settingsOf(mirrorConfiguration.parse(section), place)
const upstream = (flags: RegistryFlags) => withFlags({ ...settings(), ...upstreamDefaults }, flags)

describe('the configuration', () => {
  test('without a word of it', () => {
    expect(settings()).toMatchObject({
      registryAddresses: [':29999', ':30020'],
      peerPort: 29_999,
      peerTlsAddress: undefined,
      routerAddress: ':29995',
      metricsAddress: ':29997',
      containerdSocket: '/run/containerd/containerd.sock',
      containerdNamespace: 'k8s.io',
      mirrorResolveTimeoutMs: 20,
      mirrorResolveRetries: 3,
      allowFrom: 'node',
      relay: { enabled: true, holdMs: 20_000, settleMs: 50 },
      verifyBufferBytes: 4 * 2 ** 20,
      quarantineMs: 600_000,
      stallTimeoutMs: 10_000,
      headerTimeoutMs: 3_000,
      uploadLimit: 0,
      dataDirectory: '/var/lib/ballast/mirror',
    })
  })

  test('on a node with an address and a certificate', () => {
    const place = { nodeAddress: 'fd00::7', peerCertificateDirectory: '/tls', peersFile: '/peers', zone: 'a' }
    expect(settings({ ports: [29_999], peerPort: 1, persistence: { enabled: false } }, place)).toMatchObject({
      registryAddresses: ['[fd00::7]:29999'],
      peerTlsAddress: '[fd00::7]:1',
      peerCertificateDirectory: '/tls',
      bootstrap: { kind: 'file', file: '/peers' },
      ownZone: 'a',
      dataDirectory: '',
    })
    expect(settings({ peerTransport: 'http' }, place).peerTlsAddress).toBeUndefined()
  })

  test('registries: those named, or all', () => {
    const { filters, plainRegistries } = settings({ registries: ['https://docker.io', 'http://registry.test:5000'] })
    expect(filters.registries).toEqual(new Set(['docker.io', 'registry.test:5000']))
    expect(plainRegistries).toEqual(new Set(['registry.test:5000']))
    expect(settings({ registries: ['https://docker.io', '_default'] }).filters.registries).toBeUndefined()
  })

  // biome-ignore format: a table
  test.each([
    [{ ports: [] }], [{ ports: [0] }], [{ registries: ['https://ghcr.io/foo'] }], [{ registries: ['ftp://ghcr.io'] }], [{ filters: ['('] }], [{ filters: ['(?=a)'] }],
    [{ relay: { hold: 'soon' } }], [{ stallTimeout: '-1s' }], [{ uploadLimit: 'x' }], [{ tags: 'sometimes' }], [{ containerdSock: 'run/x' }],
    [{ containerdContentPath: '/a/../b' }], [{ relay: { more: 1 } }], [{ mirrorResolveRetries: 0 }],
  ])('%j is refused', section => expect(mirrorConfiguration.safeParse(section).success).toBe(false))

  test('two wildcards are refused', () => {
    expect(() => settings({ registries: ['_default', '*'] })).toThrow(InputError)
  })
})

describe("upstream's flags", () => {
  test('without one: its own defaults', () => {
    expect(upstream({ bootstrapKind: 'dns' })).toMatchObject({
      registryAddresses: [':5000'],
      peerPort: 5_000,
      routerAddress: ':5001',
      metricsAddress: ':9090',
      allowFrom: 'any',
      dataDirectory: '',
      debugWebEnabled: true,
      bootstrap: { kind: 'dns' },
    })
  })

  test('each has its place', () => {
    const flags: RegistryFlags = {
      registryAddr: '10.0.0.7:30020',
      routerAddr: ':1',
      metricsAddr: ':2',
      containerdSock: '/run/k3s/containerd/containerd.sock',
      containerdNamespace: 'moby',
      containerdContentPath: '',
      dataDir: '/data',
      mirroredRegistries: ['https://docker.io'],
      registryFilters: [':dev$'],
      mirrorResolveTimeout: '1.5s',
      mirrorResolveRetries: '5',
      bootstrapKind: 'http',
      httpBootstrapAddr: ':3',
      httpBootstrapUrl: 'http://x/id',
      httpBootstrapCertDir: '/tls',
      debugWebEnabled: 'false',
      resolveLatestTag: 'false',
      peerCertDir: '/peer',
      allowFrom: ['10.0.0.0/8'],
      tags: 'fallback',
      zone: 'b',
    }
    const read = upstream(flags)
    expect(read).toMatchObject({
      registryAddresses: ['10.0.0.7:30020'],
      peerPort: 30_020,
      containerdSocket: '/run/k3s/containerd/containerd.sock',
      containerdContentPath: '',
      dataDirectory: '/data',
      mirrorResolveTimeoutMs: 1_500,
      mirrorResolveRetries: 5,
      bootstrap: { kind: 'http', httpAddress: ':3', httpUrl: 'http://x/id', httpCertificateDirectory: '/tls' },
      debugWebEnabled: false,
      peerTlsAddress: ':5002',
      allowFrom: ['10.0.0.0/8'],
      tags: 'fallback',
      ownZone: 'b',
    })
    expect(read.filters.patterns.map(({ source }) => source)).toEqual([':dev$', ':latest$'])
    expect(read.filters.registries).toEqual(new Set(['docker.io']))
  })

  test('over a configuration they win, and what they do not say stays', () => {
    const base = settings({ ports: [29_999, 30_020], filters: ['a'], registries: ['https://ghcr.io'], allowFrom: 'any' })
    const read = withFlags(base, { registryAddr: ':1' })
    expect(read).toMatchObject({ registryAddresses: [':1'], peerPort: 1, allowFrom: 'any', routerAddress: ':29995' })
    expect(read.filters).toEqual(base.filters)
  })

  // biome-ignore format: a table
  test.each<[name: string, section: object, flags: RegistryFlags, told: string | undefined]>([
    ['node, and no certificate', {}, {}, 'or --peer-cert-dir, so that other nodes have a port of their own'],
    ['node, and a certificate', {}, { peerCertDir: '/tls' }, undefined],
    ['node by a flag, and no certificate', { allowFrom: 'any' }, { allowFrom: ['node'] }, 'or --peer-cert-dir'],
    ['node, and peers that are asked in plain HTTP', { peerTransport: 'http' }, { peerCertDir: '/tls' }, 'with peerTransport: http'],
    ['any, and no certificate', { allowFrom: 'any' }, {}, undefined],
    ['networks, and no certificate', { allowFrom: ['10.0.0.0/8'] }, {}, undefined],
  ])('who may ask: %s', (_name, section, flags, told) => {
    const read = () => withFlags(settings(section, { peerCertificateDirectory: flags.peerCertDir }), flags)
    if (told === undefined) expect(read).not.toThrow()
    else expect(read).toThrow(told)
  })

  test("upstream's, with nothing said of who may ask and no certificate, start as they did", () => {
    expect(upstream({ bootstrapKind: 'dns' }).allowFrom).toBe('any')
    expect(() => upstream({ bootstrapKind: 'dns', allowFrom: ['node'] })).toThrow('allowFrom: found "node"')
  })

  test('every mistake is told at once', () => {
    const flags: RegistryFlags = {
      registryAddr: '5000',
      mirroredRegistries: ['https://docker.io', 'https://ghcr.io/foo'],
      registryFilters: ['('],
      mirrorResolveTimeout: 'soon',
      mirrorResolveRetries: '0',
      bootstrapKind: 'magic',
      debugWebEnabled: 'yes',
      tags: 'x',
    }
    const told = [
      '--registry-addr: found "5000"',
      'mirroredRegistries[1]: found "https://ghcr.io/foo", expected path must be empty',
      'registryFilters[0]: found "("',
      '--mirror-resolve-timeout: found "soon"',
      '--mirror-resolve-retries: found "0"',
      '--bootstrap-kind: found "magic"',
      '--debug-web-enabled: found "yes"',
      '--tags: found "x"',
    ]
    expect(() => upstream(flags)).toThrow(InputError)
    for (const words of told) expect(() => upstream(flags)).toThrow(words)
  })

  test('a pattern that is slow on a long name is refused', () => {
    const { filters } = settings({ filters: ['a', 'b'] })
    let nowMs = 0
    expect(slowPatterns(filters, () => (nowMs += 60), 'registryFilters').map(({ found }) => found)).toEqual(['a', 'b'])
    expect(slowPatterns(filters, () => nowMs, 'registryFilters')).toEqual([])
  })
})
