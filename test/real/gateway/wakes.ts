// A request wakes what sleeps: by KEDA's own operator, which asks our scaler, and by our autoscaling; nobody asks, and it sleeps again.
import { ok, strictEqual } from 'node:assert'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { commandLine } from '../../cli/bundled.ts'
import { KedaSite } from '../keda/site.ts'
import { GatewaySite, type OwnDoor } from './site.ts'
import { SleepingTarget } from './sleeping-target.ts'

/** Against hanging only. */
const limitMs = 120_000
const wakesOf = { keda: 4, ours: 20 } as const
const cooldownSeconds = 1

export const kedaWakes = (): Promise<string> => wakes('keda')
export const oursWakes = (): Promise<string> => wakes('ours')

async function wakes(by: keyof typeof wakesOf): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const keda = stack.use(await KedaSite.start('upstream', { audit: true }))
  const site = stack.use(await GatewaySite.on(keda.plane))
  const server = createServer((_request, answer) => answer.end('awake')).listen(0, '0.0.0.0')
  stack.defer(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const door = await site.ours([process.execPath, commandLine])
  const targets = {
    InterceptorRoute: stack.use(await SleepingTarget.make(site, 'by-route', port)),
    HTTPScaledObject: stack.use(await SleepingTarget.make(site, 'by-object', port)),
  }
  await site.make([interceptorRoute('by-route', port), httpScaledObject('by-object', port)])
  await (by === 'keda' ? keda.upstream() : keda.ours())
  await site.make([
    scaledObject('by-route', door, { interceptorRoute: 'by-route' }),
    scaledObject('by-object', door, { httpScaledObject: 'by-object' }),
  ])
  // The first wake of each finds an operator that has just begun.
  for (const target of Object.values(targets)) await wake(door, target)
  const scaled: number[] = []
  const answered: number[] = []
  for (let at = 0; at < wakesOf[by]; at++) {
    const target = at % 2 === 0 ? targets.InterceptorRoute : targets.HTTPScaledObject
    const { scaledMs, answeredMs } = await wake(door, target)
    scaled.push(scaledMs)
    answered.push(answeredMs)
  }
  const who = by === 'keda' ? "KEDA's operator" : 'our autoscaling'
  return `${who} wakes InterceptorRoute and HTTPScaledObject and lets them sleep, ${scaled.length} times: to the write of the scale ${figures(scaled)}, to the answer ${figures(answered)}`
}

/** One held request, until the target sleeps again. */
async function wake(door: OwnDoor, target: SleepingTarget): Promise<{ readonly scaledMs: number; readonly answeredMs: number }> {
  await target.untilReplicas(0)
  const sentMs = Date.now()
  const answer = await request(`http://127.0.0.1:${door.port}/`, {
    headers: { host: `${target.name}.test` },
    headersTimeout: limitMs,
  })
  const text = await answer.body.text()
  const answeredMs = Date.now() - sentMs
  strictEqual(answer.statusCode, 200, text)
  strictEqual(text, 'awake')
  strictEqual(answer.headers['x-keda-http-cold-start'], 'true')
  const scaledMs = (await target.scaledAfter(sentMs)) - sentMs
  ok(scaledMs <= answeredMs, `answered after ${answeredMs} ms, scaled after ${scaledMs} ms`)
  await target.untilReplicas(0)
  return { scaledMs, answeredMs }
}

const interceptorRoute = (name: string, port: number) => ({
  apiVersion: 'http.keda.sh/v1beta1',
  kind: 'InterceptorRoute',
  metadata: { name, namespace: 'default' },
  spec: {
    target: { service: name, port },
    rules: [{ hosts: [`${name}.test`] }],
    scalingMetric: { concurrency: { targetValue: 10 } },
  },
})

const httpScaledObject = (name: string, port: number) => ({
  apiVersion: 'http.keda.sh/v1alpha1',
  kind: 'HTTPScaledObject',
  metadata: { name, namespace: 'default' },
  spec: {
    hosts: [`${name}.test`],
    scaleTargetRef: { name, kind: 'Deployment', apiVersion: 'apps/v1', service: name, port },
    scalingMetric: { concurrency: { targetValue: 10 } },
  },
})

const scaledObject = (name: string, { scalerPort }: OwnDoor, of: Readonly<Record<string, string>>) => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace: 'default' },
  spec: {
    scaleTargetRef: { name },
    minReplicaCount: 0,
    maxReplicaCount: 1,
    pollingInterval: 1,
    cooldownPeriod: cooldownSeconds,
    triggers: [{ type: 'external-push', metadata: { scalerAddress: `127.0.0.1:${scalerPort}`, ...of } }],
  },
})

/** Median and slowest; of 20 and more the 99th percentile is the slowest too. */
function figures(values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right)
  return `p50 ${sorted[Math.floor((sorted.length - 1) / 2)]} ms, at most ${sorted.at(-1)} ms`
}
