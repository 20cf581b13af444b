import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addRegistryFlags, givenRegistryFlags } from './flag-table.ts'

function given(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const command = addRegistryFlags(new Command('registry')).exitOverride()
  command.parse([...words], { from: 'user' })
  return givenRegistryFlags(command, environment)
}

// biome-ignore format: a table
test.each([
  [[], {}, {}],
  [['--registry-addr=:30020', '--router-addr', ':5001'], {}, { registryAddr: ':30020', routerAddr: ':5001' }],
  [['--mirrored-registries', 'https://docker.io', 'https://ghcr.io', '--data-dir', '/d'], {}, { mirroredRegistries: ['https://docker.io', 'https://ghcr.io'], dataDir: '/d' }],
  [['--registry-filters', '^a{1,2}$', ':latest$'], {}, { registryFilters: ['^a{1,2}$', ':latest$'] }],
  [['--debug-web-enabled'], {}, { debugWebEnabled: 'true' }],
  [['--debug-web-enabled=false'], {}, { debugWebEnabled: 'false' }],
  [['--containerd-content-path='], {}, { containerdContentPath: '' }],
  [['--http-bootstrap-peer', 'http://a/id'], {}, { httpBootstrapUrl: 'http://a/id' }],
  [['--http-bootstrap-url', 'http://b/id', '--http-bootstrap-peer', 'http://a/id'], {}, { httpBootstrapUrl: 'http://b/id' }],
  [[], { MIRRORED_REGISTRIES: 'https://docker.io,https://ghcr.io', DATA_DIR: '/d', REGISTRY_FILTERS: '' }, { mirroredRegistries: ['https://docker.io', 'https://ghcr.io'], dataDir: '/d' }],
  [['--data-dir', '/flag'], { DATA_DIR: '/variable' }, { dataDir: '/flag' }],
])('%j with %j is %j', (words, environment, flags) => expect(given(words, environment).flags).toEqual(flags))

test('flags of lines that are gone are taken, and told', () => {
  const { flags, warnings } = given([
    '--local-addr',
    'x',
    '--leader-election-name=y',
    '--blob-speed',
    '1',
    '--resolve-latest-tag=false',
  ])
  expect(flags).toEqual({ resolveLatestTag: 'false' })
  expect(warnings).toHaveLength(4)
})
