// The webhook for KEDA's kinds on the twin: judged by what is in the cluster, and asked for by a configuration that its leader keeps.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import { answerAdmission } from '#kube/server/admission.ts'
import { webhookMetrics } from '#kube/server/webhook-metrics.ts'
import { startAdmission, startAdmissionKeeper } from '../src/capabilities/autoscale/admission/webhook.ts'
import {
  admissionConfigurationName,
  objectWebhookName,
  webhookPath,
} from '../src/capabilities/autoscale/admission/webhook-names.ts'
import { autoscaleConfiguration } from '../src/capabilities/autoscale/config.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { waiting } from './autoscale-lives.ts'
import { AutoscaleSite, CutWire, scaled } from './autoscale-site.ts'

const config = autoscaleConfiguration.parse({})
const observer = webhookMetrics(new Registry())

test('a ScaledObject is judged by what is in its namespace', async () => {
  await using site = await AutoscaleSite.start(1)
  const { clock, api, signal } = site
  await using informers = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal })
  let served: Webhook | undefined
  const webhooks = {
    clientConfig: () => ({}),
    serve: (webhook: Webhook) => {
      served = webhook
      return { [Symbol.dispose]: () => (served = undefined) }
    },
  }
  const part = await startAdmission({ webhooks, clock, api, informers }, config)
  informers.of(scaledObjects)
  informers.of(builtIn.horizontalpodautoscalers)
  await informers.allSynced(signal)
  const ask = async (object: KubeObject, dryRun = false) => {
    const request = {
      uid: 'a',
      kind: { group: 'keda.sh', version: 'v1alpha1', kind: object.kind },
      resource: scaledObjects,
      operation: 'CREATE' as const,
      userInfo: {},
      object,
      dryRun,
    }
    // As an API server writes it: what there is not is null.
    const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { ...request, oldObject: null } }
    const call = { method: 'POST', url: webhookPath, contentType: 'application/json', body: Buffer.from(JSON.stringify(review)) }
    const reply = await answerAdmission(served === undefined ? [] : [served], call, { clock, log: silentLog, observer })
    const { allowed, status, warnings = [] } = JSON.parse(reply.body).response
    expect(warnings.filter((text: string) => text.includes('failed'))).toEqual([])
    return allowed === true ? 'allowed' : status.message
  }
  expect(await ask(scaled('web', { triggers: [waiting(1)] }))).toBe('allowed')
  const cpu = { type: 'cpu', metricType: 'Utilization', metadata: { value: '50', containerName: 'side' } }
  const ofCpu = scaled('web', { minReplicaCount: 1, triggers: [cpu] })
  expect(await ask(ofCpu)).toBe('allowed')
  const [container] = [at(await site.get(builtIn.deployments, 'web'), 'spec', 'template', 'spec', 'containers')].flat()
  const name = String(at(container, 'name'))
  const body = { spec: { template: { spec: { containers: [{ name, resources: { requests: { cpu: null } } }] } } } }
  await api.resource(builtIn.deployments).patch('web', { type: 'strategic', body }, { namespace: 'default', signal })
  const own = scaled('web', { minReplicaCount: 1, triggers: [{ ...cpu, metadata: { value: '50' } }] })
  expect(await ask(own)).toBe(`the scaledobject has a cpu trigger but the container ${name} doesn't have the cpu request defined`)
  expect(await ask(own, true)).toBe('allowed')
  const nobody = { ...own, spec: { ...Object(own['spec']), scaleTargetRef: { name: 'nobody' } } }
  expect(await ask(nobody)).toBe('allowed')
  const limits = [{ type: 'Container', defaultRequest: { cpu: '10m' } }]
  await site.create(
    { group: '', version: 'v1', resource: 'limitranges' },
    { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'all', namespace: 'default' }, spec: { limits } },
  )
  expect(await ask(own)).toBe('allowed')
  await site.create(scaledObjects, scaled('other', { scaleTargetRef: { name: 'web' }, triggers: [waiting(1)] }))
  await clock.advance(1_000)
  expect(await ask(scaled('web', { triggers: [waiting(1)] }))).toBe(
    "the workload 'web' of type 'apps/v1.Deployment' is already managed by the ScaledObject 'other'",
  )
  await part[Symbol.asyncDispose]()
  expect(served).toBeUndefined()
})

test('each replica has API servers ask, and keeps it so', async () => {
  await using site = await AutoscaleSite.start(1)
  const { clock, api, signal } = site
  let bundle = 'b25l'
  const webhooks = {
    clientConfig: (path: string) => ({ url: `https://ballast.example${path}`, caBundle: bundle }),
    serve: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const context = { api, webhooks, clock, log: silentLog }
  const keeper = await startAdmissionKeeper(context, config, signal)
  const configurations = api.resource<KubeObject>(builtIn.validatingwebhookconfigurations)
  const webhook = async () => {
    const { items } = await configurations.list({ signal })
    return [
      at(
        items.find(({ metadata }) => metadata.name === admissionConfigurationName),
        'webhooks',
      ),
    ].flat()[0]
  }
  await clock.advance(1_000)
  expect(await webhook()).toMatchObject({
    name: objectWebhookName,
    failurePolicy: 'Ignore',
    clientConfig: { url: `https://ballast.example${webhookPath}`, caBundle: 'b25l' },
    rules: [
      {
        apiGroups: ['keda.sh'],
        resources: ['scaledobjects', 'scaledjobs', 'triggerauthentications', 'clustertriggerauthentications'],
      },
      { apiGroups: ['eventing.keda.sh'], resources: ['cloudeventsources', 'clustercloudeventsources'] },
    ],
  })
  // Another certificate is told within a minute, and what others deleted is back within ten.
  bundle = 'dHdv'
  await clock.advance(61_000)
  expect(await webhook()).toMatchObject({ clientConfig: { caBundle: 'dHdv' } })
  await configurations.delete(admissionConfigurationName, { signal })
  await clock.advance(11 * 60_000)
  expect(await webhook()).toMatchObject({ name: objectWebhookName })
  // A server that does not answer is asked again.
  const away = new CutWire(site.twin.transport({ admin: true }), undefined)
  const lost = openApi(away, { clock, userAgent: 'test' })
  away.isAway = true
  const other = await startAdmissionKeeper({ ...context, api: lost }, config, signal)
  await clock.advance(61_000)
  expect(other.health()).toMatchObject([{ ok: false, isGating: false, message: expect.stringContaining('nobody answers') }])
  await other[Symbol.asyncDispose]()
  await lost.close()
  await keeper[Symbol.asyncDispose]()
})
