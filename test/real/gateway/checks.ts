// The gateway and the HTTP add-on's interceptor beside each other on a real control plane.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { commandLine } from '../../cli/bundled.ts'
import type { Check } from '../check.ts'
import { atEnd } from '../endings.ts'
import { until } from '../metrics/servers.ts'
import { runCommand } from '../run-command.ts'
import { coldPods } from './cold-pods.ts'
import { haproxyCarries, sameTables } from './data-plane.ts'
import { flapping, killedWithHeld, rolled, serverAway } from './faults.ts'
import { gatewayPeers } from './peers.ts'
import { realClients } from './real-clients.ts'
import { killedReplica } from './replicas.ts'
import { backendObjects, type Door, GatewaySite } from './site.ts'
import { kedaWakes, oursWakes } from './wakes.ts'

/** Those of gRPC's interoperability cases that need nothing but a path to the server. */
const grpcCases = [
  ...['empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong', 'empty_stream'],
  ...['timeout_on_sleeping_server', 'cancel_after_begin', 'cancel_after_first_response'],
  ...['status_code_and_message', 'special_status_message', 'custom_metadata', 'unimplemented_method'],
]
const caseLimitMs = 40_000

async function startServer(stack: AsyncDisposableStack, ...args: readonly string[]): Promise<number> {
  const child = spawn(await gatewayPeers(), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  stack.defer(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    isOver()
  })
  for await (const line of createInterface({ input: child.stdout })) return Number(line)
  throw new Error(`${args.join(' ')} ended early`)
}

async function grpcThrough(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const port = await startServer(stack, 'grpc-server', '-listen=0.0.0.0:0')
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
    await until(`${name} to know its route`, async () => (await played(door, 'empty_unary')) === '')
    for (const one of grpcCases) {
      const said = await played(door, one)
      if (said === '') continue
      failed[name]++
      if (name === 'ours') wrong.push(`${one}: ${said}`)
    }
  }
  if (wrong.length > 0) throw new Error(`${wrong.join('\n')}\n(upstream failed ${failed.upstream} of ${grpcCases.length})`)
  return `${grpcCases.length} cases of gRPC pass through ours, ${grpcCases.length - failed.upstream} through upstream`
}

/** Plays one case; yields what was wrong, or nothing. */
async function played({ port }: Door, one: string): Promise<string> {
  const args = ['grpc-client', `-address=127.0.0.1:${port}`, '-authority=calls.test', `-case=${one}`]
  const { code, stderr } = await runCommand(await gatewayPeers(), args, { timeoutMs: caseLimitMs })
  return code === 0 ? '' : stderr.trim().slice(-400) || `ended with ${code}`
}

export const gatewayChecks: readonly Check[] = [
  { name: 'gateway: its tables of cases with HAProxy as data plane', run: sameTables },
  { name: 'gateway: what HAProxy carries is counted, and its end costs nothing', run: haproxyCarries },
  { name: 'gateway: gRPC goes through as it does through the add-on', run: grpcThrough },
  { name: "gateway: KEDA's operator wakes what sleeps when our scaler says so", run: kedaWakes },
  { name: 'gateway: our autoscaling wakes what sleeps', alone: true, run: oursWakes },
  { name: 'gateway: in pods of a real kubelet, a container from zero to the answer', alone: true, run: coldPods },
  { name: 'gateway: curl, WebSocket, EventSource and the page that waits, in Chromium', run: realClients },
  { name: 'gateway: killed with requests that wait', run: killedWithHeld },
  { name: 'gateway: one of three replicas killed, the others agree in their sums', run: killedReplica },
  { name: 'gateway: rolled with requests under way', run: rolled },
  { name: 'gateway: the API server says nothing for a while', run: serverAway },
  { name: 'gateway: a target that flaps', run: flapping },
]
