import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { readValuesInput, upstreamContainer, valuesText } from './values-input.ts'

const read = (text: string) => readValuesInput('f.yaml', text, 'reloader', ['Deployment'])

const release = `---
# yaml-language-server: $schema=https://schemas.example/helmrelease_v2.json
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: &app reloader
  namespace: &namespace kube-system
spec:
  chart:
    spec:
      chart: reloader
      version: 2.2.16
  targetNamespace: tools
  values:
    fullnameOverride: *app
    reloader:
      # read only is enough
      readOnlyRootFileSystem: true
      podMonitor:
        enabled: true # scraped
        namespace: "{{ .Release.Namespace }}"
`

test('a HelmRelease names its chart, version and namespace', () => {
  const input = read(release)
  expect(input).toMatchObject({ from: 'HelmRelease', version: '2.2.16', namespace: 'tools', unread: [] })
  expect(input.values).toEqual({
    fullnameOverride: 'reloader',
    reloader: { readOnlyRootFileSystem: true, podMonitor: { enabled: true, namespace: '{{ .Release.Namespace }}' } },
  })
  expect(input.comments.get('reloader.readOnlyRootFileSystem')).toEqual({ before: ' read only is enough' })
  expect(input.comments.get('reloader.podMonitor.enabled')).toEqual({ after: ' scraped' })
})

test('a HelmRelease with a chartRef takes the version of the OCIRepository beside it', () => {
  const text = `
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: reloader}
spec: {url: "oci://ghcr.io/stakater/charts/reloader", ref: {tag: 2.2.7}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: reloader, namespace: kube-system}
spec:
  chartRef: {kind: OCIRepository, name: reloader}
  valuesFrom: [{kind: ConfigMap, name: shared}]
  values: {reloader: {autoReloadAll: true}}
`
  expect(read(text)).toMatchObject({ version: '2.2.7', namespace: 'kube-system', unread: ['spec.valuesFrom ConfigMap shared'] })
})

test('an Application lays values, valuesObject and parameters over each other in this order', () => {
  const text = `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: reloader}
spec:
  destination: {namespace: tools}
  source:
    chart: reloader
    targetRevision: 2.2.10
    helm:
      values: |
        reloader: {logLevel: debug, reloadOnCreate: true, deployment: {replicas: 2}}
      valuesObject: {reloader: {logLevel: info, reloadOnCreate: null}}
      valueFiles: [prod.yaml]
      parameters:
        - {name: reloader.deployment.replicas, value: "3"}
        - {name: 'reloader.matchLabels.a\\.b/c', value: "true", forceString: true}
`
  expect(read(text)).toMatchObject({
    from: 'Application',
    version: '2.2.10',
    namespace: 'tools',
    values: { reloader: { logLevel: 'info', deployment: { replicas: 3 }, matchLabels: { 'a.b/c': 'true' } } },
    unread: ['spec.source.helm.valueFiles prod.yaml'],
  })
  expect(read(text).values['reloader']).not.toHaveProperty('reloadOnCreate')
})

test('a Deployment of upstream gives its container, by image', () => {
  const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reloader-reloader, namespace: default}
spec: {template: {spec: {containers: [{name: side, image: "x/other:1"}, {name: main, image: "mirror.example/stakater/reloader@sha256:1", args: [--auto-reload-all]}]}}}
`
  const { workload, ...input } = read(text)
  expect(input).toMatchObject({ from: 'Deployment', namespace: 'default' })
  expect(upstreamContainer(workload, 'reloader')).toMatchObject({ name: 'main', args: ['--auto-reload-all'] })
})

describe('what cannot be read is refused with its place', () => {
  test.each([
    ['broken YAML', 'reloader:\n  a: [1\n', 'yaml-syntax', 'f.yaml:'],
    ['a template', 'reloader:\n  {{ if x }}\n  a: 1\n', 'yaml-syntax', 'f.yaml:'],
    ['a key twice', 'reloader: {a: 1, a: 2}\n', 'yaml-syntax', 'f.yaml:1:'],
    ['a list', '- a\n', 'values-shape', 'f.yaml'],
    ['several documents', 'a: 1\n---\nb: 2\n', 'several-documents', 'f.yaml'],
    ['other objects', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n', 'no-values', 'f.yaml'],
    ['an encrypted file', 'reloader: ENC[x]\nsops: {mac: x}\n', 'encrypted', 'f.yaml'],
    ['two releases', `${release}${release}`, 'several-releases', 'f.yaml'],
    [
      'aliases without end',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c]\n`,
      'yaml-alias',
      'f.yaml',
    ],
    ['a huge file', 'x'.repeat(10 * 1024 * 1024 + 1), 'file-too-large', 'f.yaml'],
  ])('%s', (_name, text, code, where) => {
    const problems = (() => {
      try {
        read(text)
        return []
      } catch (error) {
        if (error instanceof InputError) return error.problems
        throw error
      }
    })()
    expect(problems.map(problem => problem.code)).toContain(code)
    expect(problems.find(problem => problem.code === code)?.where).toContain(where)
  })
})

test('an empty file says nothing', () => {
  expect(read('')).toMatchObject({ from: 'values', values: {} })
})

test('comments follow scalars to their new place', () => {
  const comments = new Map([
    ['reloader.logLevel', { before: ' loud', after: ' really' }],
    ['reloader.gone', { after: ' nobody sees this' }],
  ])
  const text = valuesText(
    { process: { logLevel: 'debug' }, list: [1] },
    [{ from: 'reloader.logLevel', to: 'process.logLevel' }],
    comments,
  )
  expect(text).toBe('process:\n  # loud\n  logLevel: debug # really\nlist:\n  - 1\n')
})
