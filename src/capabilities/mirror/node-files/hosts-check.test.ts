import { expect, test } from 'vitest'
import { checkHostsFiles, type HostsFileFact } from './hosts-check.ts'

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

test.each<[string, readonly HostsFileFact[], readonly string[]]>([
  ['files of registries that are not mirrored', [file('ghcr.io', 'http://10.0.0.7:30020'), file('quay.io', 'https://x')], []],
  [
    'the other spelling of a port',
    [file('registry.test_5000_', 'https://x'), file('ghcr.io', 'http://10.0.0.7:30020')],
    ['not-asked registry.test_5000_/hosts.toml'],
  ],
  ['a mirrored one without a file', [file('registry.test:5000', 'http://10.0.0.7:30020')], ['not-asked ghcr.io']],
])('some registries only: %s', (_, files, expected) => {
  const registries = new Set([
    'ghcr.io',
    ...(files.some(({ path }) => path.startsWith('registry')) ? ['registry.test:5000'] : []),
  ])
  expect(checkHostsFiles(files, { ...served, registries }).map(({ reason, path }) => `${reason} ${path}`)).toEqual(expected)
})
