import { expect, test } from 'vitest'
import { checkHostsFiles, type HostsFileFact } from './hosts-check.ts'
import { nodeFileSet } from './node-file-set.ts'

const served = { addresses: ['10.0.0.7', 'fd00::7'], ports: [29_999, 30_020] }
const file = (path: string, url: string): HostsFileFact => ({ path: `${path}/hosts.toml`, content: `[host.'${url}']` })

test.each<[string, readonly HostsFileFact[], readonly string[]]>([
  ['our own', [file('_default', 'http://10.0.0.7:30020')], []],
  ['IPv6', [file('_default', 'http://[fd00::7]:29999')], []],
  ['loopback', [file('_default', 'http://127.0.0.1:30020')], []],
  ['a backup is not looked at', [file('_default', 'http://10.0.0.7:30020'), { path: '_backup/a/hosts.toml', content: 'x' }], []],
  [
    'one of two targets is enough',
    [{ path: '_default/hosts.toml', content: "[host.'http://10.0.0.7:30021']\n[host.'http://10.0.0.7:30020']" }],
    [],
  ],
  ['another port', [file('_default', 'http://10.0.0.7:5000')], ['port-not-served _default/hosts.toml']],
  ['another mirror', [file('ghcr.io', 'https://cache.example')], ['not-asked ghcr.io/hosts.toml']],
  ['no TOML', [{ path: 'ghcr.io/hosts.toml', content: 'hello' }], ['unreadable ghcr.io/hosts.toml']],
  ['nothing', [{ path: '_backup/a/hosts.toml', content: '' }], ['nothing-configured ']],
  [
    'Talos and an agent',
    [file('registry.test:5000', 'http://10.0.0.7:30020'), file('registry.test_5000_', 'http://10.0.0.7:30020')],
    ['two-writers registry.test:5000'],
  ],
])('%s', (_, files, expected) => {
  expect(checkHostsFiles(files, served).map(({ reason, path }) => `${reason} ${path}`)).toEqual(expected)
})

test('the files of a node, and a digest that says whether they are others', () => {
  const wish = {
    configPath: '/etc/containerd/certs.d',
    ports: [29_999, 30_020],
    registries: ['https://ghcr.io'],
    additionalTargets: ['http://cache:1'],
    resolveTags: true,
    basicAuth: undefined,
  }
  const set = nodeFileSet(wish, '10.0.0.7')
  expect(set.files).toEqual([
    {
      path: '/etc/containerd/certs.d/ghcr.io/hosts.toml',
      mode: 0o644,
      content:
        "server = 'https://ghcr.io'\n\n[host.'http://10.0.0.7:29999']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n\n[host.'http://cache:1']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n",
    },
  ])
  expect(set.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(nodeFileSet(wish, '10.0.0.7').digest).toBe(set.digest)
  expect(nodeFileSet(wish, '10.0.0.8').digest).not.toBe(set.digest)
})
