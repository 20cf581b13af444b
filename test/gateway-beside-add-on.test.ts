// The gateway's operator in `ballast apiserver`, switched on where the HTTP add-on's own still runs: two of them would write the same objects.
import { expect, test } from 'vitest'
import { accountToken, installBallast } from '#deployment/install-ballast.ts'
import { openApi } from '#kube/client/api.ts'
import { silentLog } from '#kube/log.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { apiserverAccount } from '#process/own-names.ts'
import { TestCluster, testNodes } from '#twin/components/cluster-for-tests.ts'
import { autoscale } from '../src/capabilities/autoscale/capability.ts'
import { gateway } from '../src/capabilities/gateway/capability.ts'
import { namespace } from './controlled-cluster.ts'

const lease = { name: 'http-add-on.keda.sh', namespace: 'keda' }
const httpScaledObject = {
  apiVersion: 'http.keda.sh/v1alpha1',
  kind: 'HTTPScaledObject',
  metadata: { name: 'shop', namespace: 'default' },
  spec: {
    hosts: ['shop.test'],
    scaleTargetRef: { name: 'shop', kind: 'Deployment', apiVersion: 'apps/v1', service: 'shop', port: 80 },
  },
} as unknown as KubeObject

test("it waits for the add-on's Lease, says so, and writes when the add-on's operator is gone", async () => {
  const definitions = autoscale.kinds?.flatMap(({ definition }) => (definition === undefined ? [] : [definition])) ?? []
  await using cluster = await TestCluster.start([
    ...testNodes(1),
    ...definitions,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lease.namespace } },
  ])
  const { clock, twin } = cluster
  const stop = new AbortController()
  const { signal } = stop
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  await installBallast(admin, { capabilities: [gateway], namespace, signal })
  const scaled = admin.resource<KubeObject>({ group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' })
  const objects = admin.resource<KubeObject>({ group: 'http.keda.sh', version: 'v1alpha1', resource: 'httpscaledobjects' })
  await objects.create(httpScaledObject, { namespace: 'default', signal })
  const renewed = new Date(clock.now()).toISOString().replace('Z', '000Z')
  const leases = admin.resource<KubeObject>(builtIn.leases)
  const times = { leaseDurationSeconds: 15, renewTime: renewed, acquireTime: renewed, leaseTransitions: 0 }
  const held = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: lease,
    spec: { holderIdentity: 'add-on', ...times },
  }
  await leases.create(held as unknown as KubeObject, { namespace: lease.namespace, signal })
  const token = await accountToken(admin, apiserverAccount, { namespace, seconds: 86_400, signal })
  const health = new ControllerHealth()
  const done = runApiserver({
    ...{ clock, log: silentLog, health, signal },
    transport: twin.transport({ token }),
    random: seededRandom(1),
    identity: { name: 'test', namespace },
    capabilities: [gateway],
    configurations: { gateway: gateway.config.parse({}) },
  })
  await clock.advance(10_000)
  expect((await scaled.list({ signal })).items).toEqual([])
  expect(JSON.stringify(health.ready())).toContain('the Lease of http-add-on (http-add-on.keda.sh)')
  // Nobody renews it any more.
  await clock.advance(40_000)
  expect((await scaled.list({ signal })).items.map(({ metadata }) => metadata.name)).toEqual(['shop'])
  const own = await leases.get(lease.name, { namespace: lease.namespace, signal })
  expect(textAt(own, 'spec', 'holderIdentity')).not.toBe('add-on')
  stop.abort(new DOMException('the test is over', 'AbortError'))
  await clock.advance(30_000)
  await done
  await admin.close()
})
