import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { policyWithDefaults } from '#planning/goals/policy.ts'
import { undoLines } from '#planning/isolation/rows.ts'
import { surveyIsolation } from '#planning/isolation/survey.ts'
import { node, workload } from '#planning/testdata/objects.ts'
import { writeFiles } from '#process/written-files.ts'
import { type FileFormat, isolationFiles, taintFormOf } from './isolate-files.ts'

const taint = 'node-role.kubernetes.io/control-plane'
const tolerations = [{ key: taint, operator: 'Exists' }]

function files(
  options: {
    readonly format?: FileFormat
    readonly form?: 'bare' | 'value-and-effect'
    readonly isTolerant?: boolean
    readonly nodes?: readonly string[]
  } = {},
) {
  const { format = 'talos', form = 'value-and-effect', isTolerant = true, nodes = ['n1'] } = options
  const { state } = buildClusterState([
    node('n1'),
    node('n2'),
    ...workload('argocd/argocd', { on: ['n1'], ...(isTolerant ? { spec: { tolerations } } : {}) }),
  ])
  const isolation = { nodes, taint, coreNamespaces: ['argocd'], exceptions: [], keda: 'evict', includeUnmanaged: true } as const
  const policy = policyWithDefaults({ name: 'p', isolation })
  const survey = surveyIsolation({ state, policy, settings: defaultSettings('1.34'), nowMs: 0 })
  const written = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p', uid: 'u' },
    spec: { isolation: { enabled: true } },
  }
  return isolationFiles({ survey, undo: undoLines(survey.rules, 'external') }, { format, form, policy: written })
}

const textOf = (found: ReturnType<typeof files>, path: string) => found.files.find(file => file.path === path)?.text ?? ''

describe('the form of a Talos taint', () => {
  // biome-ignore format: a table
  test.each<[string, string, string]>([
    ['the effect alone',      `machine: {nodeTaints: {${taint}: NoSchedule}}`,    'bare'],
    ['value and effect',      `machine: {nodeTaints: {${taint}: ":NoSchedule"}}`, 'value-and-effect'],
    ['another taint',         'machine: {nodeTaints: {other: NoSchedule}}',       'value-and-effect'],
    ['no taint',              'machine: {}',                                      'value-and-effect'],
    ['nothing',               '',                                                 'value-and-effect'],
  ])('is kept: %s', (_name, text, form) => {
    expect(taintFormOf(text, taint)).toBe(form)
  })

  test.each([
    ['bare', 'NoSchedule'],
    ['value-and-effect', ':NoSchedule'],
  ] as const)('is written: %s', (form, value) => {
    expect(parse(textOf(files({ form }), '2-taint-n1.yaml'))).toEqual({
      machine: { nodeTaints: { [taint]: value } },
      cluster: { allowSchedulingOnControlPlanes: false },
    })
  })
})

test('kubectl gets a script for the taint, and one back', () => {
  const found = files({ format: 'kubectl' })
  expect(found.files.map(({ path }) => path)).toEqual(['2-taint.sh', 'undo-taint.sh', '3-rebalance-policy.yaml', 'undo.txt'])
  expect(textOf(found, '2-taint.sh')).toContain(`kubectl taint nodes 'n1' '${taint}=:NoSchedule'`)
  expect(textOf(found, 'undo-taint.sh')).toContain(`kubectl taint nodes 'n1' '${taint}:NoSchedule-'`)
})

test('while a core workload lacks its toleration there is its patch, and no file that sets the taint', () => {
  const found = files({ isTolerant: false })
  expect(found.missing).toEqual(['Deployment argocd/argocd'])
  expect(found.files.map(({ path }) => path)).toEqual(['1-tolerations.yaml', '3-rebalance-policy.yaml', 'undo.txt'])
  expect(parse(textOf(found, '1-tolerations.yaml'))).toMatchObject({
    kind: 'Deployment',
    metadata: { name: 'argocd', namespace: 'argocd' },
  })
})

test('the policy is written as its user wrote it, without what the server adds', () => {
  expect(parse(textOf(files(), '3-rebalance-policy.yaml'))).toEqual({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { isolation: { enabled: true } },
  })
})

test.each(['../../etc/passwd', "n1'; rm -rf /", 'n1\nx', ''])('the name %j gets into no path and no script', name => {
  expect(() => files({ nodes: [name] })).toThrow('is not a name that can be written into files')
})

describe('what is there already', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ballast-isolate-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const content = (name: string) => readFileSync(join(folder, name), 'utf8')

  test('is left alone where it differs, all of it, and replaced only when told to', () => {
    const one = { path: 'a.yaml', text: 'a\n' }
    const two = { path: 'sub/b.yaml', text: 'b\n' }
    expect(writeFiles(folder, [one, two], false)).toEqual([
      `${join(folder, 'a.yaml')}: written`,
      `${join(folder, 'sub/b.yaml')}: written`,
    ])
    expect(writeFiles(folder, [one], false)).toEqual([`${join(folder, 'a.yaml')}: unchanged`])
    writeFileSync(join(folder, 'sub/b.yaml'), 'mine\n')
    const changed = { ...one, text: 'c\n' }
    expect(() => writeFiles(folder, [{ path: 'new.yaml', text: 'n\n' }, two], false)).toThrow(
      'sub/b.yaml: there already, and different',
    )
    expect(() => content('new.yaml')).toThrow()
    expect(content('sub/b.yaml')).toBe('mine\n')
    expect(writeFiles(folder, [changed, two], true)).toEqual([
      `${join(folder, 'a.yaml')}: replaced`,
      `${join(folder, 'sub/b.yaml')}: replaced`,
    ])
    expect(content('sub/b.yaml')).toBe('b\n')
  })
})
