// Another process asks the leader by a DisruptionPermit without a grant, and reads the answer from it.
import { expect, test } from 'vitest'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import type { Deployment } from '#kube/objects/objects.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { smallCluster } from './small-cluster.ts'

test('the process that leads answers: granted, and refused with what is wrong', async () => {
  await using cluster = await controlledCluster({ objects: smallCluster() })
  cluster.startController()
  const [deployment] = cluster.list<Deployment>('deployments.apps')
  if (deployment === undefined) throw new Error('the cluster has no Deployment')
  const { name, namespace = '', uid = '' } = deployment.metadata
  const request = (permit: string, target: string): DisruptionPermit => ({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name: permit, namespace },
    spec: {
      requester: 'outsider',
      class: 'correctness',
      verb: 'restart',
      purpose: 'reload',
      targets: [{ apiVersion: 'apps/v1', kind: target, namespace, name, uid }],
      reasons: [{ code: 'secret', message: 'a secret was rotated' }],
      idempotencyKey: permit,
      deadline: new Date(cluster.clock.now() + 3_600_000).toISOString(),
      nodes: [],
      joined: [],
      siblings: [],
    },
  })
  const permits = cluster.admin.resource<DisruptionPermit>(disruptionPermits)
  const { signal } = new AbortController()
  for (const one of [request('good', 'Deployment'), request('bad', 'Node')]) await permits.create(one, { namespace, signal })
  const stored = (permit: string) =>
    cluster.list<DisruptionPermit>('disruptionpermits.ballast.dev').find(({ metadata }) => metadata.name === permit)
  await cluster.until(() => ['good', 'bad'].every(one => stored(one)?.status?.decision !== undefined), 120_000)
  expect([stored('good')?.status?.decision, (stored('good')?.spec.grant?.token ?? 0) > 0]).toEqual(['Granted', true])
  expect([stored('bad')?.status?.decision, stored('bad')?.spec.grant]).toEqual(['Denied', undefined])
  expect(stored('bad')?.status?.reason).toContain('Node')
  await cluster.stopController()
  expect([cluster.forbidden, cluster.errors]).toEqual([[], []])
})
