// The command line of nfd-topology-updater: what counts before what, and what is refused.

import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { updaterSettings } from './topology-flags.ts'

const settingsAt = (nodeAddress: string, ...words: readonly string[]) =>
  updaterSettings(words, {
    read: path => (path === '/conf' ? 'excludeList: {n1: [cpu]}\n' : undefined),
    nodeAddress,
    stateDirectory: prefix => `${prefix === '' ? '/' : prefix}var/lib/kubelet`,
  })
const settings = (...words: readonly string[]) => settingsAt('192.0.2.7', ...words)

describe('what counts', () => {
  test('without anything the standards of upstream', () => {
    const { topology, port, oneshot, warnings } = settings()
    expect(topology).toEqual({
      enabled: true,
      sleepInterval: '60s',
      noPublish: false,
      watchNamespace: '*',
      podsFingerprint: true,
      kubeletConfigUri: 'https://192.0.2.7:10250/configz',
      apiAuthTokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
      podResourcesSocket: '',
      kubeletStateDir: '/var/lib/kubelet',
      excludeList: {},
    })
    expect([port, oneshot]).toEqual([8080, false])
    expect(warnings.join()).toContain('nfd-topology-updater.conf')
  })

  test('flags with one dash or two, as the chart and others write them', () => {
    const { topology, port } = settings(
      ...['-podresources-socket=/host-var/lib/kubelet-podresources/kubelet.sock', '-sleep-interval=3s', '--watch-namespace', 'a'],
      ...['-pods-fingerprint=false', '-kubelet-config-uri=file:///host-var/kubelet-config', '-kubelet-state-dir=', '-port=9090'],
      ...['-config', '/conf', '-no-publish', '-api-auth-token-file=/t'],
    )
    expect(topology).toEqual({
      enabled: true,
      sleepInterval: '3s',
      noPublish: true,
      watchNamespace: 'a',
      podsFingerprint: false,
      kubeletConfigUri: 'file:///host-var/kubelet-config',
      apiAuthTokenFile: '/t',
      podResourcesSocket: '/host-var/lib/kubelet-podresources/kubelet.sock',
      kubeletStateDir: '',
      excludeList: { n1: ['cpu'] },
    })
    expect(port).toBe(9090)
  })

  test.each([
    [
      'an address of six parts is written in brackets',
      settingsAt('2001:db8::7').topology.kubeletConfigUri,
      'https://[2001:db8::7]:10250/configz',
    ],
    [
      'a prefix stands before the state of the kubelet',
      settings('-host-root-prefix=/host-').topology.kubeletStateDir,
      '/host-var/lib/kubelet',
    ],
    ['an interval of nothing', settings('-sleep-interval=0').topology.sleepInterval, '0s'],
    ['one below that', settings('-sleep-interval=-5s').topology.sleepInterval, '0s'],
    [
      'no address where the address of a file is given',
      settingsAt('', '-kubelet-config-uri=file:///c').topology.kubeletConfigUri,
      'file:///c',
    ],
    ['nor for the version', settingsAt('', '-version').version, true],
    ['no configuration at all', settings('-config=').warnings, []],
  ])('%s', (_what, found, expected) => expect(found).toEqual(expected))

  test('flags of logs and old ports are taken and told', () => {
    const { warnings, verbosity } = settings('-v=4', '-metrics', '8081', '-logtostderr')
    expect(verbosity).toBe(4)
    expect(warnings.filter(warning => warning.endsWith('has no effect'))).toHaveLength(2)
  })
})

test.each([
  ['', [], 'NODE_ADDRESS'],
  ['a', ['-sleep-interval=soon'], 'soon'],
  ['a', ['-kubelet-config-uri=http://192.0.2.7/configz'], 'http://192.0.2.7'],
  ['a', ['-kubelet-config-uri=10.0.0.1'], '10.0.0.1'],
  ['a', ['-owner-refs=pod'], 'unknown flag'],
  ['a', ['-port=web'], 'web'],
  ['a', ['all'], 'all'],
])('at %j %j is refused', (address, words, why) => {
  let said = ''
  try {
    settingsAt(address, ...words)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    said = JSON.stringify(error.problems)
  }
  expect(said).toContain(why)
})
