import { describe, expect, test } from 'vitest'
import type { KubeObject, ManagedFieldsEntry } from '#kube/objects/objects.ts'
import { scaleWrite } from './scale-writes.ts'
import { templateChange } from './template-changes.ts'
import { noonMs, workload, wrote } from './testdata/plain-cluster.ts'

const nowMs = noonMs + 2_000

interface Written {
  readonly revision?: string
  readonly replicas?: number
  readonly spec?: object
  readonly by?: readonly ManagedFieldsEntry[]
}

function deployment({ revision = '3', replicas = 2, spec = {}, by = [] }: Written): KubeObject {
  const annotations = { 'deployment.kubernetes.io/revision': revision }
  return workload('Deployment', 'cart', { annotations, managedFields: by, spec: { replicas, ...spec } })
}

function statefulSet(revision: string, spec: object = {}): KubeObject {
  return workload('StatefulSet', 'db', {
    managedFields: [wrote('flux', ['template'])],
    spec: { replicas: 2, ...spec },
    status: { updateRevision: revision },
  })
}

function daemonSet(generation: string, spec: object = {}): KubeObject {
  const annotations = { 'deprecated.daemonset.template.generation': generation }
  return workload('DaemonSet', 'agent', { annotations, managedFields: [wrote('helm', ['template'])], spec })
}

function rolled(previous: KubeObject, next: KubeObject): string {
  const change = templateChange(previous, next, { nowMs, ours: [] })
  return change === undefined ? 'nothing' : `${change.isOurs ? 'we' : change.by}: ${change.evidence}`
}

const before = deployment({})
const toFour = 'Deployment shop/cart went from revision 3 to 4'
const reloaded = { template: { metadata: { annotations: { 'reloader.stakater.com/last-reloaded-from': '{}' } } } }

describe('a rollout', () => {
  // biome-ignore format: a table
  test.each<[string, KubeObject, KubeObject, string]>([
    ['kubectl rollout restart',               before, deployment({ revision: '4', by: [wrote('kubectl-rollout', ['template'])] }),          `kubectl rollout restart: ${toFour}`],
    ['kubectl apply',                         before, deployment({ revision: '4', by: [wrote('kubectl-client-side-apply', ['template', 'replicas'])] }), `kubectl apply: ${toFour}`],
    ['Flux',                                  before, deployment({ revision: '4', by: [wrote('kustomize-controller', ['template'])] }),     `kustomize-controller: ${toFour}`],
    ['the last of several writers',           before, deployment({ revision: '4', by: [wrote('kustomize-controller', ['template'], { seconds: -900 }), wrote('kubectl-set', ['template'])] }), `kubectl set: ${toFour}`],
    ['Reloader, which calls itself manager',  before, deployment({ revision: '4', spec: reloaded, by: [wrote('manager', ['template'])] }),  `Reloader: ${toFour}`],
    ['nobody signed',                         before, deployment({ revision: '4' }),                                                       `somebody: ${toFour}`],
    ['ours',                                  before, deployment({ revision: '4', by: [wrote('ballast-isolate', ['template'])] }),          `we: ${toFour}`],
    ['back to an earlier revision',           deployment({ revision: '4' }), deployment({ revision: '5', by: [wrote('kubectl-rollout', ['template'])] }), 'kubectl rollout restart: Deployment shop/cart went from revision 4 to 5'],
    ['the first revision of all',             workload('Deployment', 'cart', { spec: { replicas: 2 } }), deployment({ revision: '1' }),    'nothing'],
    ['of no pods',                            before, deployment({ revision: '4', replicas: 0 }),                                          'nothing'],
    ['another object of the name',            { ...before, metadata: { ...before.metadata, uid: 'other' } }, deployment({ revision: '4' }), 'nothing'],
    ['only the replicas changed',             before, deployment({ replicas: 5 }),                                                         'nothing'],
    ['a hostile revision',                    before, deployment({ revision: '-1e9' }),                                                    'nothing'],
    ['a StatefulSet',                         statefulSet('a'), statefulSet('b'),                                                          'flux: StatefulSet shop/db went from revision a to b'],
    ['a StatefulSet of OnDelete',             statefulSet('a'), statefulSet('b', { updateStrategy: { type: 'OnDelete' } }),                 'nothing'],
    ['a partition above all pods',            statefulSet('a'), statefulSet('b', { updateStrategy: { rollingUpdate: { partition: 2 } } }),  'nothing'],
    ['a partition below the last',            statefulSet('a'), statefulSet('b', { updateStrategy: { rollingUpdate: { partition: 1 } } }),  'flux: StatefulSet shop/db went from revision a to b'],
    ['a DaemonSet',                           daemonSet('1'), daemonSet('2'),                                                              'Helm: DaemonSet shop/agent went from template 1 to 2'],
    ['a DaemonSet of OnDelete',               daemonSet('1'), daemonSet('2', { updateStrategy: { type: 'OnDelete' } }),                     'nothing'],
  ])('%s', (_name, previous, next, expected) => expect(rolled(previous, next)).toBe(expected))
})

function scaled(previous: KubeObject, next: KubeObject, isOfScaler = false): string {
  const write = scaleWrite(previous, next, { nowMs, isOfScaler })
  return write === undefined ? 'nothing' : `${write.isOurs ? 'we' : write.by} ${write.from}→${write.to}`
}

const viaScale = { subresource: 'scale' } as const
const underDeployment = { under: { kind: 'Deployment', name: 'cart' } } as const

describe('a scale event', () => {
  // biome-ignore format: a table
  test.each<[string, KubeObject, KubeObject, boolean, string]>([
    ['a HorizontalPodAutoscaler',         before, deployment({ replicas: 5, by: [wrote('kube-controller-manager', ['replicas'], viaScale)] }), false, 'HorizontalPodAutoscaler 2→5'],
    ['KEDA by its autoscaler',            before, deployment({ replicas: 5, by: [wrote('kube-controller-manager', ['replicas'], viaScale)] }), true,  'KEDA (by its HorizontalPodAutoscaler) 2→5'],
    ['KEDA to 0',                         before, deployment({ replicas: 0, by: [wrote('keda', ['replicas'], viaScale)] }),                    true,  'KEDA 2→0'],
    ['kubectl scale',                     before, deployment({ replicas: 3, by: [wrote('kubectl', ['replicas'], viaScale)] }),                 false, 'kubectl scale 2→3'],
    ['kubectl edit',                      before, deployment({ replicas: 3, by: [wrote('kubectl-edit', ['replicas'])] }),                      false, 'kubectl edit 2→3'],
    ['nobody signed',                     before, deployment({ replicas: 3 }),                                                               false, 'somebody 2→3'],
    ['ours',                              before, deployment({ replicas: 0, by: [wrote('ballast-autoscale', ['replicas'], viaScale)] }),       false, 'we 2→0'],
    ['nothing but the template',          before, deployment({ revision: '4' }),                                                             false, 'nothing'],
    ['left out replicas are 1',           workload('Deployment', 'cart', {}), workload('Deployment', 'cart', { spec: { replicas: 1 } }),      false, 'nothing'],
    ['a ReplicaSet under its Deployment', workload('ReplicaSet', 's', { ...underDeployment, spec: { replicas: 1 } }), workload('ReplicaSet', 's', { ...underDeployment, spec: { replicas: 2 } }), false, 'nothing'],
    ['a ReplicaSet of its own',           workload('ReplicaSet', 's', { spec: { replicas: 1 } }), workload('ReplicaSet', 's', { spec: { replicas: 2 } }), false, 'somebody 1→2'],
    ['a DaemonSet has none',              workload('DaemonSet', 's', { spec: { replicas: 1 } }), workload('DaemonSet', 's', { spec: { replicas: 2 } }), false, 'nothing'],
  ])('%s', (_name, previous, next, isOfScaler, expected) => expect(scaled(previous, next, isOfScaler)).toBe(expected))

  test('happened when its writer says; now, where that is not about now by our clock', () => {
    const late = deployment({ replicas: 3, by: [wrote('kubectl', ['replicas'], { seconds: 900 })] })
    const early = deployment({ replicas: 3, by: [wrote('kubectl', ['replicas'], { seconds: -30 })] })
    const long = deployment({ replicas: 3, by: [wrote('kubectl', ['replicas'], { seconds: -900 })] })
    const context = { nowMs, isOfScaler: false }
    const times = [late, early, long].map(next => scaleWrite(before, next, context)?.atMs)
    expect(times).toEqual([nowMs, noonMs - 30_000, nowMs])
  })
})
