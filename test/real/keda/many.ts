// From zero to many on a real control plane: a schedule wakes a Deployment, and kube-controller-manager's autoscaler takes it to what our
// external metrics say.
import { ok } from 'node:assert'
import { Registry } from 'prom-client'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { externalMetrics } from '../../../src/capabilities/autoscale/names.ts'
import { externalMetricsApi } from '../../../src/capabilities/autoscale/served/external-metrics.ts'
import { until } from '../metrics/servers.ts'
import { scaledObjectsPath } from './outcomes.ts'
import { KedaSite } from './site.ts'

const wanted = 5
const deployment = '/apis/apps/v1/namespaces/default/deployments'

export async function toMany(): Promise<string> {
  await using site = await KedaSite.start('ours', { controllerFlags: ['--horizontal-pod-autoscaler-sync-period=3s'] })
  const { client, kubeconfig, serverVersion } = site.plane
  await using stack = new AsyncDisposableStack()
  const { autoscaling } = await site.ours()
  const clock = systemClock
  const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig })
  const api = openApi(openHttpTransport(config, { clock, random: systemRandom }), { clock, userAgent: 'ballast-keda-check' })
  stack.defer(() => api.close())
  const stop = new AbortController()
  stack.defer(() => stop.abort())
  const around = { clock, random: systemRandom, log: silentLog }
  const authority = await issueAuthority({ commonName: 'external-metrics', nowMs: clock.now() })
  const tls = await issueLeaf(authority, {
    commonName: 'localhost',
    dnsNames: ['localhost'],
    usages: ['server'],
    nowMs: clock.now(),
  })
  const apis = [externalMetricsApi(() => autoscaling)]
  const server = stack.use(
    await startAggregatedServer({
      ...around,
      ...{ apis: () => apis, tls, port: 0, host: '127.0.0.1', api, metrics: new Registry(), version: 'v0.1.0' },
      informers: stack.use(new Informers(api, { ...around, signal: stop.signal })),
    }),
  )
  await client.want('POST', '/api/v1/namespaces/kube-system/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'external-metrics' },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port: server.port, name: 'https' }] },
  })
  const { group, version } = externalMetrics
  await client.want('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}` },
    spec: {
      ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true },
      service: { namespace: 'kube-system', name: 'external-metrics', port: server.port },
    },
  })
  await until(
    'external.metrics.k8s.io to be served',
    async () => (await client.send('GET', `/apis/${group}/${version}`)).status === 200,
  )
  await client.want('POST', deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] },
      },
    },
  })
  const metadata = { timezone: 'Etc/UTC', start: '0 0 30 2 *', end: '0 12 * * *', desiredReplicas: String(wanted) }
  await client.want('POST', scaledObjectsPath, {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { name: 'web' }, pollingInterval: 2, triggers: [{ type: 'cron', metadata }] },
  })
  let seen = ''
  await until(
    () => `${wanted} replicas: ${seen}`,
    async () => {
      const { spec } = Object(await client.want('GET', `${deployment}/web`))
      seen = `${Reflect.get(Object(spec), 'replicas')}`
      return seen === String(wanted)
    },
    180_000,
  )
  await until('the condition HPAActive', async () => {
    const { status } = Object(await client.want('GET', `${scaledObjectsPath}/web`))
    return /"HPAActive"[^}]*"status":"True"|"status":"True"[^}]*"HPAActive"/.test(JSON.stringify(status))
  })
  ok(site.events.some(({ reason }) => reason === 'KEDAScaleTargetActivated'))
  return `0 to 1 by ours, 1 to ${wanted} by kube-controller-manager ${serverVersion}, HPAActive True`
}
