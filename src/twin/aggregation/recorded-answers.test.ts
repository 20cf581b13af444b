// The twin asked what a real API server was asked about APIs behind it (`test/real/aggregation/record.ts`), with the same programs there.
import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { listening } from '#kube/server/listening.ts'
import { type Recorded, recordAggregation } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { makeAuthority } from '../authority.ts'
import { isFields, itemsAt, textAt } from '../json-value.ts'
import { startTwin } from '../twin.ts'
import { startTestTwin, TestClient } from '../twin-for-tests.ts'

const group = { group: 'echo.example.io', version: 'v1' } as const
const fixture = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation', 'answers.json')
const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(fixture, 'utf8'))

/** Says which certificate a caller showed. The twin does not pass it on: no server behind it needs to know. */
const ownToRealServers = 'x-remote-extra-authentication.kubernetes.io%2fcredential-id'

function comparable(body: unknown): unknown {
  if (!isFields(body) || !isFields(body['headers'])) return body
  return { ...body, headers: { ...body['headers'], [ownToRealServers]: undefined } }
}

const start = () => startTwin({ clock: systemClock, wire: hostClock({ speed: 20 }), components: false, listen: { port: 0 } })

describe('APIs that others serve', () => {
  test('are answered for as a real API server answers', async () => {
    await using twin = await start()
    await using site = await siteOf(twin)
    const records = await recordAggregation(site)
    const differences: unknown[] = []
    for (const [at, real] of recorded.records.entries()) {
      const ours = records[at]
      if (real.name === 'local APIs' || real.name === 'order of groups') continue
      const [wanted, found] = [real, ours].map(record => ({ ...record, body: comparable(record?.body) }))
      try {
        expect(found).toEqual(wanted)
      } catch {
        // Collected: all that differs is shown at once.
        differences.push({ name: real.name, wanted, found })
      }
    }
    expect(differences).toEqual([])
    expect(records.map(({ name }) => name)).toEqual(recorded.records.map(({ name }) => name))
  })

  test('begin with those of the twin itself', async () => {
    await using twin = await start()
    const rows = recorded.records.find(({ name }) => name === 'local APIs')?.body
    const ours = twin.access.list('apiservices.apiregistration.k8s.io').map(object => ({
      name: object.metadata.name,
      labels: object.metadata.labels,
      spec: object['spec'],
      conditions: itemsAt(object, 'status', 'conditions').map(({ lastTransitionTime: _when, ...condition }) => condition),
    }))
    expect(ours).toEqual(rows)
  })

  test('are listed in the order of real groups', async () => {
    await using twin = await start()
    await using site = await siteOf(twin)
    const answer = await site.ask({ method: 'GET', path: '/apis' })
    const groups = itemsAt(JSON.parse(answer.text), 'groups').map(group => textAt(group, 'name'))
    const real = recorded.records.find(({ name }) => name === 'order of groups')?.body
    expect(groups).toEqual([...(Array.isArray(real) ? real : []), 'metrics.k8s.io'])
  })

  test('are told each group of a user in a header of its own, also where they speak HTTP/2 as those in Go do', async () => {
    const { server: identity } = await makeAuthority(systemClock.now(), [])
    const told: string[][] = []
    const server = createSecureServer(
      { allowHTTP1: true, cert: identity.certificate, key: identity.key },
      (incoming, outgoing) => {
        const named = incoming.rawHeaders.flatMap((name, at) =>
          at % 2 === 0 && name.toLowerCase() === 'x-remote-group' ? [incoming.rawHeaders[at + 1] ?? ''] : [],
        )
        if (incoming.url.endsWith('/things')) told.push(named)
        outgoing.writeHead(200, { 'content-type': 'application/json' })
        outgoing.end(
          JSON.stringify({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'echo.example.io/v1', resources: [] }),
        )
      },
    )
    const port = await listening(server, { port: 0, host: '127.0.0.1' })
    await using started = await startTestTwin([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'echo', namespace: 'default' },
        spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
      },
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: 'v1.echo.example.io' },
        spec: {
          ...{ ...group, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true },
          service: { namespace: 'default', name: 'echo', port },
        },
      },
    ])
    await started.clock.quiet()
    const client = new TestClient(started.twin.transport({ user: 'jane', groups: ['system:masters', 'dev, ops'] }))
    expect((await client.get('/apis/echo.example.io/v1/things')).status).toBe(200)
    expect(told).toEqual([['system:masters', 'dev, ops', 'system:authenticated']])
    server.close()
  })
})
