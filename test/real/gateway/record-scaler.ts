// What the HTTP add-on's scaler answers KEDA for the routes of `test/gateway-operator-cases.ts`, whose counts an interceptor of ours tells it:
// `test/fixtures/http-add-on/scaler.json`. Run it by `node bin/set-up node test/real/gateway/record-scaler.ts`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { externalApi, type Method } from '#coordination/external-scaler-api.ts'
import { operatorObjects } from '../../gateway-operator-cases.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { atEnd } from '../endings.ts'
import { ended, until } from '../metrics/servers.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { backendObjects, GatewaySite } from './site.ts'

/** Requests under way; none have ended, so that rates are 0. */
const counts = {
  'default/plain': 7,
  'default/rate': 3,
  'default/concurrency': 5,
  'default/same-name': 2,
  'default/route-alone': 1,
}
/** Two looks of the scaler at its interceptors. */
const ticksMs = 1_500
const streamMs = 1_100

const program = await upstreamPath('http-add-on-scaler')
const admin = createServer((_request, answer) => {
  const queue = Object.entries(counts).map(([key, Concurrency]) => [key, { Concurrency, RequestCount: 0 }])
  answer.setHeader('content-type', 'application/json').end(JSON.stringify(Object.fromEntries(queue)))
}).listen(0, '0.0.0.0')
await once(admin, 'listening')
const adminPort = (admin.address() as AddressInfo).port
await using site = await GatewaySite.start()
await site.make(backendObjects('interceptor-admin', adminPort))
for (const object of operatorObjects) await site.make([object])
const port = await freePort()
const child = spawn(program, [], {
  stdio: ['ignore', 'pipe', 'pipe'],
  env: {
    PATH: process.env['PATH'],
    KUBECONFIG: site.plane.kubeconfig,
    KEDA_HTTP_SCALER_PORT: String(port),
    KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE: 'default',
    KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE: 'interceptor-admin',
    KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT: 'interceptor',
    KEDA_HTTP_SCALER_TARGET_ADMIN_PORT: String(adminPort),
    OTEL_PROM_EXPORTER_PORT: String(await freePort()),
  },
})
const isOver = atEnd(() => child.kill('SIGKILL'))
let output = ''
for (const stream of [child.stdout, child.stderr])
  stream.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-20_000)
  })
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())

/** The answer, or the error's code and words. */
function ask<Request, Response>({ path, request, response }: Method<Request, Response>, of: Partial<Request>): Promise<unknown> {
  return new Promise(resolve =>
    client.makeUnaryRequest(
      path,
      (value: Partial<Request>) => request.encode(value),
      (bytes: Buffer) => response.decode(bytes),
      of,
      (error: ServiceError | null, answer?: Response) =>
        resolve(error === null ? written(answer) : { code: error.code, details: error.details }),
    ),
  )
}

/** As JSON has it: whole numbers of 64 bits are text there. */
const written = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one)))

/** Answers of a stream, with how long after the one before they came, in tenths of a second. */
async function streamed(of: object): Promise<readonly unknown[]> {
  const { path, request, response } = externalApi.streamIsActive
  const call = client.makeServerStreamRequest(
    path,
    (value: object) => request.encode(value),
    (bytes: Buffer) => response.decode(bytes),
    of,
  )
  const answers: unknown[] = []
  let last = performance.now()
  call.on('data', (answer: { readonly result: boolean }) => {
    const now = performance.now()
    answers.push({ active: answer.result, after: Math.round((now - last) / 100) / 10 })
    last = now
  })
  call.on('error', (error: ServiceError) => void answers.push({ code: error.code, details: error.details }))
  await pause(streamMs)
  call.cancel()
  return answers.filter(one => !JSON.stringify(one).includes('Cancelled on client'))
}

const reference = (name: string, metadata: Readonly<Record<string, string>>) => ({
  ...{ name, namespace: 'default' },
  scalerMetadata: new Map(Object.entries(metadata)),
})
const asked: Readonly<Record<string, ReturnType<typeof reference>>> = {
  ...Object.fromEntries(
    operatorObjects.map(({ kind, metadata: { name } }) => [
      `${kind} ${name}`,
      reference(name, kind === 'InterceptorRoute' ? { interceptorRoute: name } : { httpScaledObject: name }),
    ]),
  ),
  'no metadata': reference('plain', {}),
  'an HTTPScaledObject that is not there': reference('plain', { httpScaledObject: 'absent' }),
  'a route that is not there': reference('plain', { interceptorRoute: 'absent' }),
  'another name than the ScaledObject': reference('other', { interceptorRoute: 'route-alone' }),
}

try {
  const first = reference('plain', { httpScaledObject: 'plain' })
  await until(
    () => `the scaler to know its counts: ${output.slice(-2_000)}`,
    async () => JSON.stringify(await ask(externalApi.isActive, first)).includes('true'),
  )
  await pause(ticksMs)
  const answers: Record<string, unknown> = {}
  for (const [name, of] of Object.entries(asked)) {
    const specs = (await ask(externalApi.getMetricSpec, of)) as {
      readonly metricSpecs?: readonly { readonly metricName: string }[]
    }
    const values: Record<string, unknown> = {}
    for (const { metricName } of specs.metricSpecs ?? [])
      values[metricName] = await ask(externalApi.getMetrics, { scaledObjectRef: of, metricName })
    answers[name] = { isActive: await ask(externalApi.isActive, of), specs, values }
  }
  const streams = { active: await streamed(first), idle: await streamed(reference('paths', { httpScaledObject: 'paths' })) }
  const source = { program: upstreamVersion('http-add-on-scaler'), command: 'node test/real/gateway/record-scaler.ts' }
  const file = join(import.meta.dirname, '..', '..', 'fixtures', 'http-add-on', 'scaler.json')
  writeFileSync(file, `${JSON.stringify({ ...source, counts, answers, streams }, undefined, 1)}\n`)
  console.log(`${Object.keys(answers).length} are recorded`)
} finally {
  client.close()
  admin.close()
  await ended(child)
  isOver()
}
