// Our servers behind the real API server: `kubectl` reads them through it, and a new authority of its front proxy is believed.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Check } from '../check.ts'
import { type FrontProxy, makeFrontProxy } from '../control-plane/certificates.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { recordConversionLife } from './conversion-life.ts'
import { recordConversions } from './conversion-scenario.ts'
import { recordPolicies } from './policy-scenario.ts'
import { accountTransport, realSite } from './real-site.ts'
import { policyLagMs, webhookLagMs } from './record.ts'
import { recordAggregation } from './scenario.ts'
import { metricsService, startSmallMetrics } from './small-metrics.ts'
import { recordWebhooks } from './webhook-scenario.ts'

const name = 'v1beta1.metrics.k8s.io'
const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'aggregation')
const longestWaitMs = 90_000

async function until(what: string, holds: () => Promise<boolean>): Promise<number> {
  const startedAt = Date.now()
  while (!(await holds())) {
    if (Date.now() - startedAt > longestWaitMs) throw new Error(`waited in vain for ${what}`)
    await pause(100)
  }
  return Date.now() - startedAt
}

/** Whether the server at `port` speaks to who shows this certificate, whatever it says. */
function isAnswered(port: number, { certificate, key }: Pick<FrontProxy, 'certificate' | 'key'>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const shown = { cert: certificate, key, rejectUnauthorized: false, agent: false }
  const asked = request({ host: 'localhost', port, path: '/apis/metrics.k8s.io/v1beta1/nodes', ...shown }, answer => {
    answer.resume()
    resolve(true)
  })
  asked.on('error', () => resolve(false))
  asked.end()
  return promise
}

/** Our metrics behind `plane`, with the rights that the library generates and no others. */
async function behind(plane: ControlPlane): Promise<AsyncDisposable & { readonly port: number }> {
  await using stack = new AsyncDisposableStack()
  const { client } = plane
  for (const node of ['n1', 'n2']) {
    const allocatable = { cpu: '4', memory: '4Gi', pods: '9' }
    const status = { allocatable, capacity: allocatable }
    await client.want('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: node }, status })
  }
  const transport = await accountTransport(plane)
  stack.defer(() => transport.close())
  const metrics = stack.use(await startSmallMetrics(transport))
  const { port } = metrics.server
  const ports = [{ port, name: 'https' }]
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: metricsService.name },
    spec: { type: 'ExternalName', externalName: 'localhost', ports },
  }
  await client.want('POST', `/api/v1/namespaces/${metricsService.namespace}/services`, service)
  const spec = {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    groupPriorityMinimum: 100,
    versionPriority: 100,
    caBundle: Buffer.from(metrics.authority).toString('base64'),
    service: { ...metricsService, port },
  }
  const registration = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name }, spec }
  await client.want('POST', '/apis/apiregistration.k8s.io/v1/apiservices', registration)
  await until('the API to be available', async () => (await answered(plane)) === 200)
  const running = stack.move()
  return { port, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function answered(plane: ControlPlane): Promise<number> {
  return (await plane.client.send('GET', '/apis/metrics.k8s.io/v1beta1/nodes')).status
}

/** Reviews have UIDs of their own in each run. */
function withoutUids(records: unknown): unknown {
  return JSON.parse(JSON.stringify(records).replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID'))
}

const topOutput = [
  ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'],
  ['n1', '250m', '6%', '512Mi', '12%'],
  ['n2', '500m', '12%', '1024Mi', '25%'],
]

export const aggregationChecks: readonly Check[] = [
  {
    name: 'our own metrics.k8s.io behind the real API server',
    async run() {
      const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
      try {
        await using _ours = await behind(plane)
        await until('its schema to be merged', async () => {
          const { body } = await plane.client.send('GET', '/openapi/v3')
          return JSON.stringify(body).includes('apis/metrics.k8s.io/v1beta1')
        })
        for (const version of ['1.32', 'newest'] as const) {
          const kubectl = await kubectlPath(version)
          const flags = [`--kubeconfig=${plane.kubeconfig}`]
          const top = await commandOutput(kubectl, [...flags, 'top', 'nodes'])
          deepStrictEqual(
            top
              .trim()
              .split('\n')
              .map(line => line.trim().split(/\s+/)),
            topOutput,
          )
          const raw = await commandOutput(kubectl, [...flags, 'get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes/n1'])
          match(raw, /"kind":"NodeMetrics"/)
          const table = await commandOutput(kubectl, [...flags, 'get', 'nodes.metrics.k8s.io', 'n2'])
          match(table, /^NAME\s+CPU\s+MEMORY\nn2\s+500m\s+1024Mi/)
          const explained = await commandOutput(kubectl, [...flags, 'explain', 'nodes', '--api-version=metrics.k8s.io/v1beta1'])
          match(explained, /KIND: +NodeMetrics[\s\S]*usage/)
          const refused = await runCommand(kubectl, [...flags, '--as=jane', 'top', 'nodes'])
          match(refused.stderr, /User "jane" cannot list resource "nodes" in API group "metrics\.k8s\.io" at the cluster scope/)
        }
        return 'Available; kubectl 1.32 and newest: top, get, get --raw, explain; refused to jane'
      } finally {
        await plane.stop()
      }
    },
  },
  {
    name: 'the real front proxy with a new authority',
    async run() {
      const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
      try {
        await using ours = await behind(plane)
        const next = await makeFrontProxy()
        // Both authorities have one name, as they do where a cluster renews its own.
        // As it is done without a gap: both authorities are believed before the certificate changes.
        plane.replaceFrontProxy({ ...plane.frontProxy, authority: `${plane.frontProxy.authority}\n${next.authority}` })
        const told = await until('both authorities to be published', async () => {
          const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication'
          const { data }: { data?: Readonly<Record<string, string>> } = Object((await plane.client.send('GET', path)).body)
          return (data?.['requestheader-client-ca-file']?.match(/BEGIN CERTIFICATE/g) ?? []).length === 2
        })
        // Published is not heard: ours has to believe the new one before it is used.
        await until('ours to believe the new authority', () => isAnswered(ours.port, next))
        const refusals: string[] = []
        plane.replaceFrontProxy({ ...next, authority: `${plane.frontProxy.authority}\n${next.authority}` })
        const deadline = Date.now() + 70_000
        let count = 0
        while (Date.now() < deadline) {
          const { status, body } = await plane.client.send('GET', '/apis/metrics.k8s.io/v1beta1/nodes')
          count++
          if (status !== 200) refusals.push(`${status} ${JSON.stringify(body)}`)
          await pause(100)
        }
        // Connections of the old certificate end, some with a call on them: that is no refusal of ours, and happens once.
        const isBroken = (answer: string) =>
          /^503 "error trying to reach service: .*(EOF|connection reset by peer|server closed idle connection)/.test(answer)
        deepStrictEqual(
          refusals.filter(answer => !isBroken(answer)),
          [],
        )
        ok(refusals.length <= 4, refusals.join('\n'))
        return `published after ${told} ms; ${count} requests over the change of the certificate, none refused, ${refusals.length} broken off`
      } finally {
        await plane.stop()
      }
    },
  },
  {
    name: 'APIs, webhooks, policies and conversions behind the real API server, as recorded',
    async run() {
      const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
      try {
        await using site = await realSite(plane)
        const answers = await recordAggregation(site)
        const webhooks = await recordWebhooks(site, webhookLagMs)
        const policies = await recordPolicies(site, policyLagMs)
        const conversions = await recordConversions(site, webhookLagMs)
        const life = await recordConversionLife(site, webhookLagMs)
        for (const [file, records] of [
          ['answers.json', answers],
          ['webhooks.json', webhooks],
          ['policies.json', policies],
          ['conversions.json', conversions],
          ['conversion-life.json', life],
        ] as const) {
          const recorded: { readonly server: string; readonly records: unknown } = JSON.parse(
            readFileSync(join(fixtures, file), 'utf8'),
          )
          strictEqual(plane.serverVersion, recorded.server)
          deepStrictEqual(withoutUids(records), withoutUids(recorded.records))
        }
        return `${answers.length} answers of APIs, ${webhooks.length} of webhooks, ${policies.length} of policies, ${conversions.length + life.length} of conversions`
      } finally {
        await plane.stop()
      }
    },
  },
]
