import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readValuesInput } from '#upstreams/values-input.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { convertDeschedulerWorkload, flagsOf, policySource } from './descheduler-workload.ts'

const policyText = 'apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles: []\nmaxNoOfPodsToEvictPerNode: 3\n'
const policy = { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy', profiles: [], maxNoOfPodsToEvictPerNode: 3 }

const configMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'descheduler-policy-configmap', namespace: 'kube-system' },
  data: { 'policy.yaml': policyText },
}

const pod = (args: readonly string[], more: object = {}) => ({
  metadata: { labels: { app: 'descheduler', team: 'a' }, annotations: { 'checksum/config': 'x', note: 'y' } },
  spec: {
    priorityClassName: 'system-cluster-critical',
    containers: [
      {
        name: 'descheduler',
        image: 'registry.k8s.io/descheduler/descheduler:v0.36.0',
        command: ['/bin/descheduler'],
        args,
        volumeMounts: [{ mountPath: '/policy-dir', name: 'policy-volume' }],
        ...more,
      },
    ],
    volumes: [{ name: 'policy-volume', configMap: { name: 'descheduler-policy-configmap' } }],
  },
})

const deployment = (args: readonly string[], more: object = {}): ValuesTree => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'descheduler', namespace: 'kube-system' },
  spec: { replicas: 2, template: pod(args, more) },
})

const cronJob = (args: readonly string[]): ValuesTree => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'descheduler-cronjob', namespace: 'kube-system' },
  spec: {
    schedule: '*/2 * * * *',
    successfulJobsHistoryLimit: 3,
    jobTemplate: { spec: { activeDeadlineSeconds: 60, template: pod(args) } },
  },
})

const file = '--policy-config-file=/policy-dir/policy.yaml'
const convert = (workload: ValuesTree, beside: readonly unknown[] = [configMap]) =>
  convertDeschedulerWorkload(workload, { beside, namespace: 'kube-system' })

// biome-ignore format: a table
test.each([
  ['with =',               ['--v=3', '--dry-run'],                              { v: '3', 'dry-run': null }],
  ['in two words',         ['/bin/descheduler', '--v', '3', '--dry-run'],       { v: '3', 'dry-run': null }],
  ['in one letter',        ['-v', '4', '--descheduling-interval', '5m'],        { v: '4', 'descheduling-interval': '5m' }],
  ['twice: the last',      ['--v=1', '--v=2'],                                  { v: '2' }],
  ['with = in it',         ['--feature-gates=A=true'],                          { 'feature-gates': 'A=true' }],
])('flags %s', (_name, words, flags) => {
  expect(Object.fromEntries(flagsOf(words))).toEqual(flags)
})

test('a Deployment with leader election, and what is around it', () => {
  const args = [file, '--descheduling-interval', '5m', '--v', '3', '--leader-elect=true', '--leader-elect-resource-name=mine']
  const { values, isLossy, report } = convert(deployment(args), [
    configMap,
    { kind: 'Service' },
    { kind: 'ServiceMonitor', metadata: { labels: { release: 'p' } }, spec: { endpoints: [{ interval: '30s' }] } },
  ])
  expect(isLossy, JSON.stringify(report)).toBe(false)
  expect(values).toEqual({
    descheduler: {
      enabled: true,
      kind: 'Deployment',
      replicas: 2,
      interval: '5m',
      leaderElection: { enabled: true, resourceName: 'mine' },
      verbosity: 3,
      priorityClassName: 'system-cluster-critical',
      podAnnotations: { note: 'y' },
      podLabels: { team: 'a' },
      service: { enabled: true },
      policy,
    },
    metrics: { serviceMonitor: { enabled: true, interval: '30s', labels: { release: 'p' } } },
  })
})

test('a CronJob without a level of its log', () => {
  const { values, isLossy } = convert(cronJob([file]))
  expect(isLossy).toBe(false)
  expect(values).toMatchObject({
    descheduler: {
      kind: 'CronJob',
      schedule: '*/2 * * * *',
      successfulJobsHistoryLimit: 3,
      activeDeadlineSeconds: 60,
      verbosity: 0,
      policy,
    },
  })
})

describe('the policy', () => {
  test('by a key of another name, or one file', () => {
    const named = { ...pod([file]).spec.volumes[0], configMap: { name: 'c', items: [{ key: 'mine', path: 'policy.yaml' }] } }
    const template = { ...pod([file]), spec: { ...pod([file]).spec, volumes: [named] } }
    expect(policySource({ ...deployment([file]), spec: { template } })).toEqual({ configMap: 'c', key: 'mine' })
    const one = { volumeMounts: [{ mountPath: '/etc/p.yaml', subPath: 'policy.yaml', name: 'policy-volume' }] }
    expect(policySource(deployment(['--policy-config-file=/etc/p.yaml'], one))).toEqual({
      configMap: 'descheduler-policy-configmap',
      key: 'policy.yaml',
    })
  })

  // biome-ignore format: a table
  test.each([
    ['is not beside it',  deployment([file]), [],                                             'its policy is key policy.yaml of ConfigMap descheduler-policy-configmap, which is not here: put that object beside it'],
    ['is in no ConfigMap', deployment(['--policy-config-file=/etc/p.yaml']), [configMap],     'its policy is in no ConfigMap that the workload mounts: put what it says into descheduler.policy'],
    ['is no YAML',        deployment([file]), [{ ...configMap, data: { 'policy.yaml': '{' } }], 'key policy.yaml of ConfigMap descheduler-policy-configmap is no YAML of a map'],
  ])('%s: told, and not guessed', (_name, workload, beside, why) => {
    const { isLossy, report } = convert(workload, beside)
    expect(isLossy).toBe(true)
    expect(report).toContainEqual({ from: 'deschedulerPolicy', kind: 'lost', why })
  })
})

describe('as a file', () => {
  const print = (...list: readonly object[]) => list.map(one => `---\n${JSON.stringify(one)}\n`).join('')

  test.each([
    ['Deployment', deployment([file])],
    ['CronJob', cronJob([file])],
  ])('the plain %s with its ConfigMap', (kind, workload) => {
    const input = readValuesInput('f.yaml', print(workload, configMap), 'descheduler', ['Deployment', 'CronJob'])
    expect(input).toMatchObject({ from: kind, namespace: 'kube-system' })
    expect(input.beside).toHaveLength(2)
  })

  test('values with a key `kind` are values', () => {
    const input = readValuesInput('f.yaml', 'kind: Deployment\ndeschedulingInterval: 5m\n', 'descheduler', [
      'Deployment',
      'CronJob',
    ])
    expect(input).toMatchObject({ from: 'values', values: { kind: 'Deployment' } })
  })

  test('a HelmRelease of a repository', () => {
    const release = {
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      metadata: { name: 'descheduler', namespace: 'descheduler' },
      spec: { chart: { spec: { chart: 'descheduler', version: '0.33.0' } }, values: { kind: 'Deployment' } },
    }
    const input = readValuesInput('f.yaml', print(release), 'descheduler', ['Deployment', 'CronJob'])
    expect(input).toMatchObject({ from: 'HelmRelease', version: '0.33.0', namespace: 'descheduler' })
    expect(parseAllDocuments(print(release))).toHaveLength(1)
  })
})
