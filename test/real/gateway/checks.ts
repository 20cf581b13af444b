// The gateway and the HTTP add-on's interceptor beside each other on a real control plane.
import { commandLine } from '../../cli/bundled.ts'
import type { Check } from '../check.ts'
import { until } from '../metrics/servers.ts'
import { coldPods } from './cold-pods.ts'
import { haproxyCarries, sameTables } from './data-plane.ts'
import { flapping, killedWithHeld, rolled, serverAway } from './faults.ts'
import { behindIngress, behindProxies } from './fronts.ts'
import { grpcCase, grpcCases, startPeer } from './peers.ts'
import { realClients } from './real-clients.ts'
import { killedReplica } from './replicas.ts'
import { backendObjects, type Door, GatewaySite } from './site.ts'
import { kedaWakes, oursWakes } from './wakes.ts'

async function grpcThrough(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const port = await startPeer(stack, 'grpc-server', '-listen=0.0.0.0:0')
  const site = stack.use(await GatewaySite.start())
  const [service, ...slices] = backendObjects('calls', port)
  if (service === undefined) throw new Error('a Service')
  const h2c = { ports: [{ name: 'web', port, targetPort: port, appProtocol: 'kubernetes.io/h2c' }] }
  const route = {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name: 'calls', namespace: 'default' },
    spec: {
      target: { service: 'calls', port },
      rules: [{ hosts: ['calls.test'] }],
      scalingMetric: { concurrency: { targetValue: 100 } },
    },
  }
  await site.make([{ ...service, spec: h2c }, ...slices, route])
  const doors = { upstream: await site.upstream(['calls.default']), ours: await site.ours([process.execPath, commandLine]) }
  const wrong: string[] = []
  const failed = { upstream: 0, ours: 0 }
  for (const [name, door] of Object.entries(doors) as [keyof typeof doors, Door][]) {
    await until(`${name} to know its route`, async () => (await grpcCase(door.port, 'calls.test', 'empty_unary')) === '')
    for (const one of grpcCases) {
      const said = await grpcCase(door.port, 'calls.test', one)
      if (said === '') continue
      failed[name]++
      if (name === 'ours') wrong.push(`${one}: ${said}`)
    }
  }
  if (wrong.length > 0) throw new Error(`${wrong.join('\n')}\n(upstream failed ${failed.upstream} of ${grpcCases.length})`)
  return `${grpcCases.length} cases of gRPC pass through ours, ${grpcCases.length - failed.upstream} through upstream`
}

export const gatewayChecks: readonly Check[] = [
  { name: 'gateway: its tables of cases with HAProxy as data plane', run: sameTables },
  { name: 'gateway: what HAProxy carries is counted, and its end costs nothing', run: haproxyCarries },
  { name: 'gateway: gRPC goes through as it does through the add-on', run: grpcThrough },
  { name: "gateway: KEDA's operator wakes what sleeps when our scaler says so", run: kedaWakes },
  { name: 'gateway: our autoscaling wakes what sleeps', alone: true, run: oursWakes },
  { name: 'gateway: in pods of a real kubelet, a container from zero to the answer', alone: true, run: coldPods },
  { name: 'gateway: curl, WebSocket, EventSource and the page that waits, in Chromium', run: realClients },
  { name: 'gateway: behind Traefik, by Ingress and by HTTPRoute, as its page shows it', run: behindIngress },
  { name: 'gateway: behind nginx, and behind a balancer that says who asks', run: behindProxies },
  { name: 'gateway: killed with requests that wait', run: killedWithHeld },
  { name: 'gateway: one of three replicas killed, the others agree in their sums', run: killedReplica },
  { name: 'gateway: rolled with requests under way', run: () => rolled('builtin') },
  { name: 'gateway: rolled with requests under way, carried by HAProxy', run: () => rolled('haproxy') },
  { name: 'gateway: the API server says nothing for a while', run: serverAway },
  { name: 'gateway: a target that flaps', run: flapping },
]
