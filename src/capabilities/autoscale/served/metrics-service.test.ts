// KEDA's metrics service and whoever asks it, against each other by TLS; the bytes on the wire against upstream's definition.
import { Registry } from 'prom-client'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import type { ExternalMetricSource } from '#coordination/ports/external-metrics.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { openMetricsClient } from './metrics-client.ts'
import { type MutualTls, startMetricsService } from './metrics-service.ts'
import { getMetrics } from './metrics-service-api.ts'

const nowMs = systemClock.now()
const { signal } = new AbortController()
const of = { namespace: 'media', scaledObject: 'web', metric: 's0-queue' }
const value = { name: 's0-queue', quantity: '1500m', atMs: Date.UTC(2026, 10, 23, 6, 0, 7) }

const authority = (isRsa = false) => issueAuthority({ commonName: 'KEDA', nowMs, isRsa })
async function materialOf(issuer: KeyPair, bundle = issuer.certificate): Promise<MutualTls> {
  const names = { dnsNames: ['localhost', 'keda-operator'], usages: ['server', 'client'] } as const
  return { tls: await issueLeaf(issuer, { commonName: 'keda-operator', ...names, nowMs }), bundle }
}

const around = { clock: systemClock, log: silentLog }
const serve = (material: MutualTls, values: ExternalMetricSource['values'], host?: string) =>
  startMetricsService({ ...around, source: { values }, host, port: 0, material, wire: { minVersion: 'TLSv1.3' } })
const ask = (port: number, material: MutualTls, clock: Parameters<typeof openMetricsClient>[0]['clock'] = systemClock) =>
  openMetricsClient({ ...around, clock, address: `localhost:${port}`, material })

describe('a value', () => {
  test('is what the source says, also under an authority of RSA', async () => {
    const material = await materialOf(await authority(true))
    const asked: unknown[] = []
    await using service = await serve(material, async what => {
      asked.push(what)
      return [value]
    })
    await using client = ask(service.port, material)
    expect(await client.values(of, signal)).toEqual([value])
    expect(asked).toEqual([of])
  })

  test('that cannot be told has the reason of the source', async () => {
    const material = await materialOf(await authority())
    await using service = await serve(material, async () => {
      throw new Error('no such queue')
    })
    await using client = ask(service.port, material)
    await expect(client.values(of, signal)).rejects.toThrow(/^no such queue$/)
  })

  test('and a failure are counted on both sides, by upstream’s names and labels', async () => {
    const material = await materialOf(await authority())
    const [server, client] = [new Registry(), new Registry()]
    const answers: readonly (typeof value | undefined)[] = [value, undefined]
    let asked = 0
    const source: ExternalMetricSource = {
      values: async () => {
        const answer = answers[asked++]
        if (answer === undefined) throw new Error('no such queue')
        return [answer]
      },
    }
    const served = { ...around, source, host: '127.0.0.1', port: 0, material, wire: {}, metrics: server }
    await using service = await startMetricsService(served)
    await using asking = openMetricsClient({ ...around, address: `localhost:${service.port}`, material, metrics: client })
    await asking.values(of, signal)
    await expect(asking.values(of, signal)).rejects.toThrow()
    const call = 'grpc_type="unary",grpc_service="api.MetricsService",grpc_method="GetMetrics"'
    for (const [side, registry] of Object.entries({ server, client })) {
      const lines = (await registry.metrics()).split('\n').filter(line => !/^#|_bucket|_sum|^$/.test(line))
      const prefix = `keda_internal_metricsservice_grpc_${side}`
      expect(lines).toEqual([
        `${prefix}_started_total{${call}} 2`,
        `${prefix}_handled_total{${call},grpc_code="OK"} 1`,
        `${prefix}_handled_total{${call},grpc_code="Unknown"} 1`,
        `${prefix}_msg_received_total{${call}} 2`,
        `${prefix}_msg_sent_total{${call}} 2`,
        `${prefix}_handling_seconds_count{${call}} 2`,
      ])
    }
  })

  test('is told on one address alone, which nobody else may have', async () => {
    const material = await materialOf(await authority())
    await using service = await serve(material, async () => [value], '127.0.0.1')
    const again = startMetricsService({
      ...around,
      source: service as never,
      host: '127.0.0.1',
      port: service.port,
      material,
      wire: {},
    })
    await expect(again).rejects.toThrow(/^listen on 127.0.0.1:\d+: .*EADDRINUSE/)
  })

  test('is told by another name of the operator', async () => {
    const material = await materialOf(await authority())
    await using service = await serve(material, async () => [value], '127.0.0.1')
    const address = `127.0.0.1:${service.port}`
    await using named = openMetricsClient({ ...around, address, authority: 'keda-operator:9666', material })
    expect(await named.values(of, signal)).toEqual([value])
  })
})

describe('whoever is not ours', () => {
  test('hears nothing, and is not believed', async () => {
    const ours = await materialOf(await authority())
    const theirs = await authority()
    let answered = 0
    await using service = await serve(ours, async () => {
      answered++
      return [value]
    })
    const clock = new VirtualClock(nowMs)
    for (const bundle of [ours.bundle, theirs.certificate]) {
      await using client = ask(service.port, await materialOf(theirs, bundle), clock)
      const asking = client.values(of, signal).then(
        () => 'told',
        (error: Error) => error.message,
      )
      let said: string | undefined
      void asking.then(message => {
        said = message
      })
      for (let passed = 0; said === undefined && passed < 100; passed++) await clock.advance(100)
      expect(said).toMatch(/timeout while waiting to establish gRPC connection to KEDA Metrics Service server/)
    }
    expect(answered).toBe(0)
  })

  test('is ours once both have a new authority', async () => {
    const [before, after] = [await authority(), await authority()]
    const both = `${before.certificate}\n${after.certificate}`
    await using service = await serve(await materialOf(before, both), async () => [value])
    await using client = ask(service.port, await materialOf(before, both))
    expect(await client.values(of, signal)).toEqual([value])
    service.setMaterial(await materialOf(after, after.certificate))
    client.setMaterial(await materialOf(after, after.certificate))
    expect(await client.values(of, signal)).toEqual([value])
    expect(() =>
      service.setMaterial({ ...before, tls: { certificate: before.certificate, key: after.key }, bundle: both }),
    ).toThrow()
    expect(await client.values(of, signal)).toEqual([value])
  })
})

/** Fields, numbers and types of upstream's definition. */
const definition = `
syntax = "proto3"; package api;
message ScaledObjectRef { string name = 1; string namespace = 2; string metricName = 3; }
message ExternalMetricValueList { ListMeta metadata = 1; repeated ExternalMetricValue items = 2; }
message ExternalMetricValue { string metricName = 1; map<string, string> metricLabels = 2; Time timestamp = 3; optional int64 window = 4; Quantity value = 5; }
message ListMeta { string selfLink = 1; string resourceVersion = 2; string continue = 3; optional int64 remainingItemCount = 4; }
message Time { int64 seconds = 1; int32 nanos = 2; }
message Quantity { string string = 1; }`

describe('the wire is upstream’s', () => {
  const { root } = protobuf.parse(definition, { keepCase: true })
  const [reference, values] = [root.lookupType('api.ScaledObjectRef'), root.lookupType('api.ExternalMetricValueList')]

  test('of a question', () => {
    const plain = { name: 'web', namespace: 'media', metricName: 's0-queue' }
    expect(getMetrics.request.encode(plain)).toEqual(Buffer.from(reference.encode(plain).finish()))
    expect(getMetrics.request.decode(reference.encode(plain).finish())).toEqual(plain)
  })

  test('of an answer', () => {
    const item = { metricName: 's0-queue', timestamp: { seconds: 1_763_877_607 }, value: { string: '1500m' } }
    const theirs = values.encode(values.fromObject({ metadata: {}, items: [item] })).finish()
    const labels = new Map<string, string>()
    expect(getMetrics.response.decode(theirs)).toMatchObject({ items: [{ ...item, metricLabels: labels }] })
    const ours = getMetrics.response.encode({ items: [{ ...item, metricLabels: labels, window: 0 }] })
    expect(values.toObject(values.decode(ours), { longs: Number })).toEqual({ items: [item] })
  })
})
