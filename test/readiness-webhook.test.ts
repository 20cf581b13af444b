// The webhook on NodeReadinessRules, asked over HTTPS by the API server of the twin: what upstream's refuses is refused, in its words.
import { expect, test } from 'vitest'
import { readiness } from '#capabilities/readiness'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { makePatient } from './patient-webhooks.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const rules = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }

function rule(name: string, over: object = {}): KubeObject {
  return {
    apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
    kind: 'NodeReadinessRule',
    metadata: { name },
    spec: {
      conditions: [{ type: 'A', requiredStatus: 'True' }],
      enforcementMode: 'bootstrap-only',
      taint: { key: 'readiness.k8s.io/net', effect: 'NoSchedule' },
      nodeSelector: { matchLabels: { role: 'worker' } },
      ...over,
    },
  }
}

async function served(): Promise<ControlledCluster> {
  const of = await controlledCluster({
    objects: [node('n1')],
    hold: true,
    capabilities: [readiness],
    configurations: { readiness: readiness.config.parse({}) },
  })
  of.startController()
  await of.until(() => of.list('validatingwebhookconfigurations.admissionregistration.k8s.io').length > 0, 60_000)
  await makePatient(of)
  return of
}

/** What the server says to it: empty where it is taken. */
async function said(of: ControlledCluster, work: Promise<unknown>): Promise<string> {
  let answer: string | undefined
  work.then(
    () => (answer = ''),
    (error: unknown) => (answer = error instanceof Error ? error.message : String(error)),
  )
  await of.until(() => answer !== undefined, 60_000)
  return answer ?? ''
}

test('rules that fight over a taint, or ask for what cannot be, are refused; the others are taken', async () => {
  await using of = await served()
  const create = (one: KubeObject) => said(of, of.admin.resource<KubeObject>(rules).create(one, { signal }))
  const denied = 'admission webhook "rules.readiness.ballast.dev" denied the request: validation failed: '
  expect(await create(rule('net'))).toBe('')
  expect(await create(rule('again'))).toBe(
    `${denied}[spec.taint.key: Invalid value: "readiness.k8s.io/net": conflicts with existing rule 'net' - same taint key 'readiness.k8s.io/net' and effect 'NoSchedule' with overlapping node selectors]`,
  )
  expect(await create(rule('elsewhere', { nodeSelector: { matchLabels: { role: 'database' } } }))).toBe('')
  expect(await create(rule('harder', { taint: { key: 'readiness.k8s.io/net', effect: 'NoExecute' } }))).toBe('')
  const other = { taint: { key: 'readiness.k8s.io/other', effect: 'NoSchedule' } }
  expect(await create(rule('everywhere', { ...other, nodeSelector: {} }))).toBe(
    `${denied}[spec.nodeSelector: Required value: nodeSelector must not be empty]`,
  )
  const withDefault = [{ type: 'A', requiredStatus: 'True', defaultStatus: 'False' }]
  expect(await create(rule('default', { ...other, conditions: withDefault }))).toBe(
    `${denied}[spec.conditions[0].defaultStatus: Forbidden: defaultStatus should not be used with bootstrap-only enforcementMode]`,
  )
  expect(await create(rule('any', { ...other, conditionPolicy: 'anyOf' }))).toBe(
    `${denied}[spec.conditionPolicy: Forbidden: conditionPolicy anyOf cannot be used with bootstrap-only enforcementMode]`,
  )
  expect(await create(rule('any', { ...other, enforcementMode: 'continuous', conditionPolicy: 'anyOf' }))).toBe('')
  const dry = of.admin.resource(rules).patch('net', { type: 'merge', body: { spec: { dryRun: true } } }, { signal })
  expect(await said(of, dry)).toBe('')
  const list = await of.admin.resource<KubeObject>(rules).list({ signal, fieldSelector: 'spec.enforcementMode=continuous' })
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['any'])
  expect([...of.forbidden, ...of.errors]).toEqual([])
})

test('two that came while nobody could be asked: the younger fails on the nodes they fight over, the others go on', async () => {
  await using of = await controlledCluster({
    objects: [node('n1')],
    capabilities: [readiness],
    configurations: { readiness: readiness.config.parse({ admission: false }) },
  })
  await of.admin
    .resource(rules)
    .create(rule('alone', { taint: { key: 'readiness.k8s.io/alone', effect: 'NoSchedule' } }), { signal })
  for (const name of ['first', 'second']) await of.admin.resource(rules).create(rule(name), { signal })
  const { uid: _, ...metadata } = node('w1').metadata
  const worker = { ...node('w1'), metadata: { ...metadata, labels: { ...metadata.labels, role: 'worker' } } }
  await of.admin.resource<KubeObject>({ group: '', version: 'v1', resource: 'nodes' }).create(worker, { signal })
  of.startController()
  const statusOf = (name: string) =>
    JSON.stringify(
      of.list('nodereadinessrules.readiness.node.x-k8s.io').find(({ metadata: { name: is } }) => is === name)?.['status'] ?? {},
    )
  await of.until(() => statusOf('second').includes('"reason":"ConflictingRule"'), 120_000)
  await of.until(() => ['alone', 'first'].every(name => statusOf(name).includes('"Present"')), 60_000)
  expect(statusOf('first')).not.toContain('failedNodes')
  expect([...of.forbidden, ...of.errors]).toEqual([])
})
