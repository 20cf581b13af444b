import { expect, test } from 'vitest'
import { mirrorConfiguration } from './config.ts'
import { nodeFilesOf } from './node-files-port.ts'

const filesOf = (config: object, ip = '10.0.0.7') => nodeFilesOf(mirrorConfiguration.parse(config)).filesFor({ name: 'a', ip })

test('one file for all registries, byte for byte as the agent writes it', () => {
  expect(filesOf({}).files).toEqual([
    {
      path: '/etc/containerd/certs.d/_default/hosts.toml',
      mode: 0o644,
      content: "[host.'http://10.0.0.7:29999']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'",
    },
  ])
})

test('one a registry, in the directory and for the port that are configured; IPv6 in brackets, once', () => {
  const config = {
    registries: ['https://docker.io', 'http://registry.test:5000'],
    ports: [30_020],
    tags: 'never',
    containerdRegistryConfigPath: '/etc/cri/conf.d/hosts',
  }
  for (const ip of ['fd00::7', '[fd00::7]'])
    expect(filesOf(config, ip).files.map(({ path, content }) => [path, content])).toEqual([
      [
        '/etc/cri/conf.d/hosts/docker.io/hosts.toml',
        "server = 'https://registry-1.docker.io'\n\n[host.'http://[fd00::7]:30020']\ncapabilities = ['pull']\ndial_timeout = '200ms'",
      ],
      [
        '/etc/cri/conf.d/hosts/registry.test:5000/hosts.toml',
        "server = 'http://registry.test:5000'\n\n[host.'http://[fd00::7]:30020']\ncapabilities = ['pull']\ndial_timeout = '200ms'",
      ],
    ])
})

test('equal sets have equal digests, others others', () => {
  expect(filesOf({}).digest).toBe(filesOf({ routerPort: 1 }).digest)
  expect(filesOf({}).digest).not.toBe(filesOf({}, '10.0.0.8').digest)
  expect(filesOf({}).digest).toMatch(/^sha256:[0-9a-f]{64}$/)
})
