// From nothing to the answered request, on a real control plane: our gateway's scaler asked by KEDA's operator or by ours. Pods are the check's: as
// soon as the Deployment wants one, an endpoint is ready.
import { ok } from 'node:assert'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { commandLine } from '../../cli/bundled.ts'
import { withoutAutoscaling } from '../keda/record.ts'
import { KedaSite } from '../keda/site.ts'
import { until } from '../metrics/servers.ts'
import { backendObjects, collectionPath, GatewaySite, machineAddress } from './site.ts'

const wakes = 10
const slice = `${collectionPath('EndpointSlice')}/sleeper-1`

interface Wake {
  /** Milliseconds from when the request was sent until the API server told of the scale, and until its answer was whole. */
  readonly scaledMs: number
  readonly answeredMs: number
}

/** Asks by the gateway. */
function ask(port: number): Promise<{ readonly status: number | undefined; readonly cold: unknown; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/', headers: { host: 'sleeper.test' }, agent: false }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode, cold: answer.headers['x-keda-http-cold-start'], text }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Says `by` which operator it was played, with the times. */
export async function fromZero(by: 'KEDA' | 'ours'): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const backend = createServer((_request, answer) => void answer.end('awake')).listen(0, '0.0.0.0')
  await once(backend, 'listening')
  stack.defer(() => void backend.close())
  const port = (backend.address() as AddressInfo).port
  const keda = stack.use(await KedaSite.start('upstream', withoutAutoscaling))
  const { client } = keda.plane
  const site = stack.use(await GatewaySite.over(keda.plane))
  const [service, sleeping] = backendObjects('sleeper', port, false)
  if (service === undefined || sleeping === undefined) throw new Error('a Service and its slice')
  const labels = { app: 'sleeper' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app' }] } }
  const gateway = await site.ours([process.execPath, commandLine])
  await site.make([
    service,
    sleeping,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'sleeper', namespace: 'default' },
      spec: { replicas: 0, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'http.keda.sh/v1beta1',
      kind: 'InterceptorRoute',
      metadata: { name: 'sleeper', namespace: 'default' },
      spec: {
        target: { service: 'sleeper', port },
        rules: [{ hosts: ['sleeper.test'] }],
        scalingMetric: { concurrency: { targetValue: 100 } },
      },
    },
  ])
  const scaler = { scalerAddress: `127.0.0.1:${gateway.scalerPort}`, interceptorRoute: 'sleeper' }
  await site.make([
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'sleeper', namespace: 'default' },
      spec: {
        scaleTargetRef: { name: 'sleeper' },
        ...{ minReplicaCount: 0, maxReplicaCount: 3, pollingInterval: 1, cooldownPeriod: 1 },
        triggers: [{ type: 'external-push', metadata: scaler }],
      },
    },
  ])
  stack.use(by === 'KEDA' ? await keda.upstream() : await keda.ours())

  // What the API server tells, as it tells it.
  let replicas = 0
  let scaled: (() => void) | undefined
  const watching = new AbortController()
  const first = Object(await client.want('GET', collectionPath('Deployment')))
  const watch = (async () => {
    for await (const { object } of client.watch(collectionPath('Deployment'), first.metadata.resourceVersion, watching.signal)) {
      replicas = Object(Object(object)['spec'])['replicas'] ?? 0
      if (replicas > 0) scaled?.()
    }
  })()
  stack.defer(async () => {
    watching.abort()
    await watch.catch(() => undefined) // its end is ours
  })
  const ready = (isReady: boolean) =>
    client.want('PATCH', slice, { endpoints: [{ addresses: [machineAddress()], conditions: { ready: isReady } }] })

  const found: Wake[] = []
  for (let wake = 0; wake < wakes; wake++) {
    await until('the target to sleep', async () => replicas === 0)
    const { promise, resolve } = Promise.withResolvers<number>()
    scaled = () => resolve(performance.now())
    const sentMs = performance.now()
    const answering = ask(gateway.port)
    const scaledMs = (await promise) - sentMs
    scaled = undefined
    await ready(true)
    const answer = await answering
    const answeredMs = performance.now() - sentMs
    ok(answer.status === 200 && answer.text === 'awake', JSON.stringify(answer))
    ok(answer.cold === 'true', `X-Keda-Http-Cold-Start: ${answer.cold}`)
    found.push({ scaledMs, answeredMs })
    // The gateway has heard of it long before the target sleeps; one that had not would answer without a cold start.
    await ready(false)
  }
  await until('the target to sleep at the end', async () => replicas === 0)
  const told = (of: (wake: Wake) => number) => {
    const sorted = found.map(of).toSorted((a, b) => a - b)
    return `${sorted[Math.floor(sorted.length / 2)]?.toFixed(0)} ms, at most ${sorted.at(-1)?.toFixed(0)}`
  }
  return `${wakes} times from zero and back; to the scale in the middle ${told(one => one.scaledMs)}; to the answer ${told(one => one.answeredMs)}`
}
