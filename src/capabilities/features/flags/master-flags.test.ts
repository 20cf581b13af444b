// The command lines of nfd-master and nfd-gc: what counts before what, and what is refused.

import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { gcSettings } from './gc-flags.ts'
import { masterSettings } from './master-flags.ts'

const file = `extraLabelNs: [a.example]
denyLabelNs: ["*.corp.example"]
LabelWhitelist: gpu
resyncPeriod: 1800000000000
restrictions: {disablelabels: true, nodeFeatureNamespaceSelector: {matchLabels: {a: b}}}
leaderElection: {leaseDuration: 30s}
klog: {v: 3}
autoDefaultNs: false
`
const settings = (...words: readonly string[]) => masterSettings(words, path => (path === '/conf' ? file : undefined))

describe('what counts', () => {
  test('without anything the standards of upstream', () => {
    const { config, port, elects, election, pageSize, prune, warnings } = settings()
    expect(config.master).toMatchObject({
      enableTaints: false,
      autoPrefix: true,
      nodeFeatureGroups: false,
      resyncPeriod: '1h',
      nfdApiParallelism: 10,
      restrictions: { allowOverwrite: true, disableLabels: false },
    })
    expect([port, elects, pageSize, prune]).toEqual([8080, false, 200, false])
    expect(election).toEqual({ leaseDuration: '15s', renewDeadline: '10s', retryPeriod: '2s' })
    expect(warnings.join()).toContain('nfd-master.conf')
  })

  test('the file, keys in any case, a number of nanoseconds; what nobody knows is told', () => {
    const { config, election, verbosity, warnings } = settings('-config=/conf')
    expect(config.master).toMatchObject({
      extraLabelNs: ['a.example'],
      labelWhiteList: 'gpu',
      resyncPeriod: '30m0s',
      restrictions: { disableLabels: true, nodeFeatureNamespaceSelector: { matchLabels: { a: 'b' } } },
    })
    expect([election.leaseDuration, verbosity]).toEqual(['30s', 3])
    expect(warnings).toEqual([expect.stringContaining('autoDefaultNs')])
  })

  test('over it -options, which add to lists of namespaces; over all the flags, which replace them', () => {
    const options =
      '-options={extraLabelNs: [b.example], labelWhiteList: net, restrictions: {nodeFeatureNamespaceSelector: {matchLabels: {c: d}}}}'
    const { config } = settings('-config=/conf', options, '--deny-label-ns=x.example,y.example', '-v=1')
    expect(config.master).toMatchObject({
      extraLabelNs: ['a.example', 'b.example'],
      denyLabelNs: ['x.example', 'y.example'],
      labelWhiteList: 'net',
      restrictions: { disableLabels: true, nodeFeatureNamespaceSelector: { matchLabels: { a: 'b', c: 'd' } } },
    })
  })

  test('gates, the instance, and what ours bounds', () => {
    const words = ['-instance', 'blue', '-feature-gates=NodeFeatureGroupAPI=true', '-feature-gates', 'DisableAutoPrefix=true']
    const { config, warnings } = settings(...words, '-nfd-api-parallelism=500', '-resync-period=0s', '-config=/conf')
    expect(config.master).toMatchObject({ instance: 'blue', autoPrefix: false, nodeFeatureGroups: true, nfdApiParallelism: 100 })
    expect(config.master.resyncPeriod).toBe('168h0m0s')
    expect(warnings.filter(warning => warning.includes(' holds'))).toHaveLength(2)
  })

  test('of all the last, and empty words count for nothing', () => {
    const { prune, elects, port, oldPort } = settings(
      '',
      '-prune',
      '-enable-leader-election',
      '-port=1',
      '-port=2',
      '-metrics=8081',
    )
    expect([prune, elects, port, oldPort]).toEqual([true, true, 2, 8081])
  })
})

function said(act: () => unknown): string {
  try {
    act()
    return ''
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return JSON.stringify(error.problems)
  }
}

test.each([
  [['-instance=-blue'], 'instance'],
  [['-feature-gates=NodeFeatureAPI=false'], 'no choice'],
  [['-feature-gates=Nobody=true'], 'Nobody'],
  [['-nfd-api-parallelism=0'], 'nfdApiParallelism'],
  [['-label-whitelist=('], 'labelWhiteList'],
  [['-options={resyncPeriod: soon}'], 'resyncPeriod'],
  [['-options=['], '--options'],
  [['-informer-page-size=-1'], '--informer-page-size'],
  [['-crd-controller'], 'unknown flag'],
  [['all'], 'all'],
])('nfd-master %j is refused', (words, why) => expect(said(() => settings(...words))).toContain(why))

test('nfd-gc: standards, and its flags', () => {
  expect(gcSettings([])).toMatchObject({ intervalMs: 3_600_000, pageSize: 200, port: 8080 })
  expect(gcSettings(['-gc-interval=5m', '--list-size', '0'])).toMatchObject({ intervalMs: 300_000, pageSize: 0 })
})

test.each([
  [['-gc-interval=0s'], 'more than 0'],
  [['-list-size=-1'], '0 or more'],
  [['-config=/conf'], 'unknown flag'],
])('nfd-gc %j is refused', (words, why) => expect(said(() => gcSettings(words))).toContain(why))
