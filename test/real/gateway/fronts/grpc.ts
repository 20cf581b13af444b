// gRPC's interoperability cases through a front, and one of them through a cold start.
import { strictEqual } from 'node:assert'
import { at } from '#kube/objects/object-fields.ts'
import { until } from '../../metrics/servers.ts'
import { grpcCase, grpcCases, startPeer } from '../peers.ts'
import { collectionPath, type Door, type GatewaySite } from '../site.ts'
import { SleepingTarget } from '../sleeping-target.ts'
import { untilHeld } from '../tried-target.ts'
import { grpcHost } from './ingress-cluster.ts'
import type { Front } from './trials.ts'

/** Its server, its Service that says HTTP/2, and its route; it sleeps. */
export async function grpcTarget(stack: AsyncDisposableStack, site: GatewaySite): Promise<SleepingTarget> {
  const port = await startPeer(stack, 'grpc-server', '-listen=0.0.0.0:0')
  const target = stack.use(await SleepingTarget.make(site, 'calls', port))
  const ports = [{ name: 'web', port, targetPort: port, appProtocol: 'kubernetes.io/h2c' }]
  await site.plane.client.want('PATCH', `${collectionPath('Service')}/calls`, { spec: { ports } })
  await site.make([
    {
      apiVersion: 'http.keda.sh/v1beta1',
      kind: 'InterceptorRoute',
      metadata: { name: 'calls', namespace: 'default' },
      spec: {
        target: { service: 'calls', port },
        rules: [{ hosts: [grpcHost] }],
        scalingMetric: { concurrency: { targetValue: 100 } },
      },
    },
  ])
  return target
}

/** @returns what was seen, in few words */
export async function tryGrpc(front: Front, door: Door, target: SleepingTarget): Promise<string> {
  await target.setReady(false)
  const cold = grpcCase(front.port, grpcHost, 'empty_unary')
  await Promise.race([untilHeld(door, 1), cold])
  await target.setReady(true)
  strictEqual(await cold, '', `${front.name}, a cold start of gRPC`)
  for (const one of grpcCases) strictEqual(await grpcCase(front.port, grpcHost, one), '', `${front.name}, gRPC's ${one}`)
  // A call that its client left is not counted any more.
  await until(`nobody at gRPC's target`, async () => {
    const counts: unknown = await fetch(`http://127.0.0.1:${door.adminPort}/queue`).then(answer => answer.json())
    return at(counts, 'default/calls', 'Concurrency') === 0
  })
  return `a cold start and ${grpcCases.length} cases of gRPC`
}
