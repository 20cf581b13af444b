// config-reload.md §2.9 and §2.10: metrics, Events, alerts and the update webhook, against a receiver of our own on loopback.
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import type { Log } from '#kube/log.ts'
import { type Receiver, startReceiver } from './receiver-for-tests.ts'
import { Telling } from './reload-telling.ts'
import type { ToldSource, ToldWorkload } from './telling.ts'

const workload: ToldWorkload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'web', name: 'cart', uid: 'u1' }
const secret: ToldSource = { type: 'secret', namespace: 'web', name: 'db' }
const noAlerts = { enabled: false, sink: '', webhookUrl: '', proxy: '', additionalInfo: '' }
const text =
  'Reloader detected changes in *db* of type *SECRET* in namespace *web*. Hence reloaded *cart* of type *Deployment* in namespace *web*'

interface Scene extends AsyncDisposable {
  readonly telling: Telling
  readonly events: readonly EmittedEvent[]
  readonly logged: readonly string[]
  readonly registry: Registry
}

function scene(settings: Partial<ConstructorParameters<typeof Telling>[0]['settings']> = {}): Scene {
  const events: EmittedEvent[] = []
  const logged: string[] = []
  const write = (facts: object, message: string) => void logged.push(`${message} ${JSON.stringify(facts)}`)
  const log: Log = { debug: write, info: write, warn: write, error: write }
  const registry = new Registry()
  const telling = new Telling({
    settings: { webhookUrl: '', metricsByNamespace: false, alerts: noAlerts, ...settings },
    events: { emit: event => void events.push(event) },
    metrics: registry,
    namespace: 'ballast-system',
    clock: systemClock,
    log,
  })
  return { telling, events, logged, registry, [Symbol.asyncDispose]: () => telling[Symbol.asyncDispose]() }
}

const alertsTo = (receiver: Receiver, more: Partial<typeof noAlerts> = {}) => ({
  alerts: { ...noAlerts, enabled: true, webhookUrl: `${receiver.url}/services/T0/secret`, ...more },
})

describe('alerts', () => {
  const json = 'application/json'
  test.each([
    ['slack', json, JSON.stringify({ attachments: [{ color: 'good', author_name: 'Reloader', text }] })],
    ['teams', json, JSON.stringify({ text })],
    ['gchat', json, JSON.stringify({ text })],
    [' Slack ', json, JSON.stringify({ attachments: [{ color: 'good', author_name: 'Reloader', text }] })],
    ['webhook', 'text/plain', text.replaceAll('*', '')],
    ['', 'text/plain', text.replaceAll('*', '')],
    ['constructor', 'text/plain', text.replaceAll('*', '')],
  ])('sink %j', async (sink, contentType, body) => {
    await using receiver = await startReceiver()
    await using made = scene(alertsTo(receiver, { sink }))
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    expect(receiver.received).toEqual([
      { method: 'POST', path: '/services/T0/secret', headers: expect.objectContaining({ 'content-type': contentType }), body },
    ])
    expect(await made.registry.getSingleMetricAsString('ballast_reload_alerts_total')).toContain('{result="success"} 1')
  })

  // biome-ignore format: a table
  test.each([
    ['teams', '',         text],
    ['teams', ' ',        ` : ${text}`],
    ['teams', '\n',       ` : ${text}`],
    ['gchat', ' ',        ` : ${text}`],
    ['teams', ' *home* ', `*home* : ${text}`],
    ['',      '',         text.replaceAll('*', '')],
    ['',      ' ',        ` : ${text.replaceAll('*', '')}`],
    ['',      ' *home* ', `home : ${text.replaceAll('*', '')}`],
  ])('sink %j with %j before it', async (sink, additionalInfo, expected) => {
    await using receiver = await startReceiver()
    await using made = scene(alertsTo(receiver, { sink, additionalInfo }))
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    const [body = ''] = receiver.received.map(one => one.body)
    expect(sink === '' ? body : JSON.parse(body)).toEqual(sink === '' ? expected : { text: expected })
  })

  test('say what the user adds, and nothing after a failure', async () => {
    await using receiver = await startReceiver()
    await using made = scene(alertsTo(receiver, { sink: 'teams', additionalInfo: ' home ' }))
    made.telling.acted({ workload, sources: [secret], result: 'error', seconds: 0.1, message: 'denied' })
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    expect(receiver.received.map(({ body }) => body)).toEqual([JSON.stringify({ text: `home : ${text}` })])
  })

  test.each([
    ['slack', 302, 'error'],
    ['slack', 399, 'error'],
    ['slack', 201, 'success'],
    ['slack', 500, 'error'],
    ['teams', 202, 'error'],
    ['gchat', 204, 'error'],
    ['', 204, 'success'],
    ['', 307, 'error'],
  ])('sink %j that answers %i: %s, and no redirect is followed', async (sink, status, result) => {
    await using elsewhere = await startReceiver()
    await using receiver = await startReceiver({ status, headers: { location: elsewhere.url } })
    await using made = scene(alertsTo(receiver, { sink }))
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    expect(receiver.received).toHaveLength(1)
    expect(elsewhere.received).toHaveLength(0)
    expect(await made.registry.getSingleMetricAsString('ballast_reload_alerts_total')).toContain(`{result="${result}"} 1`)
    const refused = made.logged.filter(line => line.startsWith('alert refused'))
    expect(refused).toHaveLength(result === 'error' ? 1 : 0)
    expect(made.logged.join()).not.toContain('/services/')
  })

  test('a receiver that is not there is logged without its path, and the reload goes on', async () => {
    const receiver = await startReceiver()
    await receiver[Symbol.asyncDispose]()
    await using made = scene(alertsTo(receiver))
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    expect(made.logged.find(line => line.startsWith('alert not sent'))).toContain(receiver.url)
    expect(made.logged.join()).not.toContain('/services/')
    expect(made.events.map(({ reason }) => reason)).toEqual(['Reloaded'])
  })

  test('go through the proxy', async () => {
    await using proxy = await startReceiver({ status: 502 })
    await using made = scene({
      alerts: { ...noAlerts, enabled: true, webhookUrl: 'https://chat.example/x', proxy: proxy.url },
    })
    made.telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.1 })
    await made.telling.idle()
    expect(proxy.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['CONNECT chat.example:443'])
    expect(made.logged.filter(line => line.startsWith('alert not sent {"to":"https://chat.example"'))).toHaveLength(1)
  })

  test.each([
    ['ftp://chat.example/x', 'capabilities.reload.alerts.webhookUrl: found "an address of ftp://"'],
    ['chat.example/token', 'found "a text of 18 characters that is no URL"'],
    [`https://${'a'.repeat(5_000)}.example`, 'characters that is no URL'],
  ])('address %s is refused, without its path', (webhookUrl, words) => {
    expect(() => scene({ alerts: { ...noAlerts, enabled: true, webhookUrl } })).toThrow(words)
  })
})

describe('the update webhook', () => {
  test('is told, and no workload is to be touched', async () => {
    await using receiver = await startReceiver({ status: 503 })
    await using made = scene({ webhookUrl: receiver.url.replace('//', '//user:p%40ss@') })
    expect(await made.telling.sourceChanged(secret, new AbortController().signal)).toBe(true)
    expect(receiver.received).toEqual([
      {
        method: 'POST',
        path: '/',
        headers: expect.objectContaining({
          'content-type': 'application/json',
          authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
        }),
        body: '{"webhook":"update successful"}',
      },
    ])
    expect(made.logged.join()).not.toContain('p@ss')
  })

  test('nobody there: to be tried again', async () => {
    const receiver = await startReceiver()
    await receiver[Symbol.asyncDispose]()
    await using made = scene({ webhookUrl: receiver.url })
    await expect(made.telling.sourceChanged(secret, new AbortController().signal)).rejects.toThrow('ECONNREFUSED')
  })

  test('without one workloads are reloaded', async () => {
    await using made = scene()
    expect(await made.telling.sourceChanged(secret, new AbortController().signal)).toBe(false)
  })
})

describe('Events', () => {
  const configMap: ToldSource = { type: 'configmap', namespace: 'shared', name: 'app' }

  test('are upstream’s, one for each source', async () => {
    await using made = scene()
    made.telling.acted({ workload, sources: [secret, configMap], result: 'success', seconds: 0.1 })
    expect(
      made.events.map(({ type, reason, component, note, regarding }) => ({ type, reason, component, note, regarding })),
    ).toEqual([
      {
        type: 'Normal',
        reason: 'Reloaded',
        component: 'reloader-secrets',
        note: "Changes detected in 'db' of type 'SECRET' in namespace 'web', Updated 'cart' of type 'Deployment' in namespace 'web'",
        regarding: workload,
      },
      {
        type: 'Normal',
        reason: 'Reloaded',
        component: 'reloader-configmaps',
        note: "Changes detected in 'app' of type 'CONFIGMAP' in namespace 'shared', Updated 'cart' of type 'Deployment' in namespace 'web'",
        regarding: workload,
      },
    ])
  })

  test('of a failure say why, once for each component', async () => {
    await using made = scene()
    const sources: ToldSource[] = [
      secret,
      { ...secret, name: 'other' },
      { type: 'secretproviderclass', namespace: 'web', name: 'vault' },
    ]
    made.telling.acted({ workload, sources, result: 'error', seconds: 0.1, message: 'denied by policy' })
    expect(made.events.map(({ type, reason, component, note }) => `${type} ${reason} ${component} ${note}`)).toEqual([
      "Warning ReloadFail reloader-secrets Update for 'cart' of type 'Deployment' in namespace 'web' failed with error denied by policy",
      "Warning ReloadFail reloader-secretproviderclasspodstatuses Update for 'cart' of type 'Deployment' in namespace 'web' failed with error denied by policy",
    ])
  })

  test('of a failure without a source are ours', async () => {
    await using made = scene()
    made.telling.acted({ workload, sources: [], result: 'error', seconds: 0, message: 'its successor is refused' })
    expect(made.events.map(({ reason, component }) => [reason, component])).toEqual([['ReloadFail', 'ballast-reload']])
  })

  test('of what holds a reload back come once for the same cause', async () => {
    await using made = scene()
    const { telling } = made
    for (let time = 0; time < 2; time++) {
      telling.throttled(workload, Date.UTC(2026, 0, 1), [secret])
      telling.annotationInvalid(workload, 'secret.reloader.stakater.com/reload', 'db[', 'no regular expression')
      telling.forbidden('jobs.batch', 'jobs is forbidden')
    }
    expect(made.events.map(({ reason, note }) => `${reason}: ${note}`)).toEqual([
      'ReloadThrottled: Reloaded too often: the next roll-out waits until 2026-01-01T00:00:00Z and takes along what changes meanwhile (now SECRET db)',
      'ReloadAnnotationInvalid: Annotation secret.reloader.stakater.com/reload: found "db[": no regular expression',
      'ReloadForbidden: jobs.batch cannot be used: jobs is forbidden. Other kinds go on',
    ])
  })
})

describe('metrics', () => {
  test('have upstream’s names, labels and zeros from the start', async () => {
    await using made = scene()
    const lines = (await made.registry.metrics()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'reloader_reload_executed_total{success="true"} 0',
        'reloader_reload_executed_total{success="false"} 0',
        'reloader_reconcile_total{result="skipped"} 0',
        'reloader_reconcile_duration_seconds_bucket{le="0.001",result="success"} 0',
        'reloader_action_total{workload_kind="Deployment",result="success"} 0',
        'reloader_action_latency_seconds_bucket{le="60",workload_kind="Job"} 0',
        'reloader_skipped_total{reason="no_data_change"} 0',
        'reloader_skipped_total{reason="ignored_or_not_selected"} 0',
        'reloader_skipped_total{reason="strategy_not_updated"} 0',
        'reloader_workqueue_depth 0',
        'reloader_workqueue_adds_total 0',
        'reloader_workqueue_latency_seconds_bucket{le="5"} 0',
        'reloader_errors_total{type="handler_error"} 0',
        'reloader_errors_total{type="invalid_handler_type"} 0',
        'reloader_retries_total 0',
        'reloader_events_received_total{event_type="update",resource_type="secrets"} 0',
        'reloader_events_processed_total{event_type="unknown",resource_type="configmaps",result="dropped"} 0',
        'reloader_workloads_scanned_total{kind="CronJob"} 0',
        'reloader_workloads_matched_total{kind="StatefulSet"} 0',
        'ballast_reload_throttled_total 0',
      ]),
    )
    expect(lines.filter(line => line.includes('by_namespace'))).toEqual([])
    expect(
      lines.filter(line => line.startsWith('reloader_reconcile_duration_seconds_bucket{') && line.includes('"error"')),
    ).toHaveLength(13)
    expect(lines.filter(line => line.startsWith('reloader_workqueue_latency_seconds_bucket'))).toHaveLength(12)
    expect(
      lines.filter(line => line.startsWith('reloader_action_latency_seconds_bucket{') && line.includes('"Job"')),
    ).toHaveLength(12)
  })

  test('count what is told', async () => {
    await using made = scene({ metricsByNamespace: true })
    const { telling } = made
    telling.acted({ workload, sources: [secret], result: 'success', seconds: 0.2 })
    telling.acted({ workload, sources: [secret], result: 'error', seconds: 0.2, message: 'denied' })
    telling.eventReceived('update', 'secrets')
    telling.eventProcessed('secrets', 'success')
    telling.scanned('Deployment', 3)
    telling.matched('Deployment', 1)
    telling.skipped('no_data_change')
    telling.reconciled('error', 0.03)
    telling.retried()
    telling.queue.added(4)
    telling.queue.taken('k', 20, 3)
    telling.throttled(workload, 1, [])
    const lines = (await made.registry.metrics()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'reloader_reload_executed_total{success="true"} 1',
        'reloader_reload_executed_total{success="false"} 1',
        'reloader_reload_executed_total_by_namespace{success="true",namespace="web"} 1',
        'reloader_action_total{workload_kind="Deployment",result="error"} 1',
        'reloader_action_latency_seconds_bucket{le="0.25",workload_kind="Deployment"} 2',
        'reloader_action_latency_seconds_bucket{le="0.1",workload_kind="Deployment"} 0',
        'reloader_events_received_total{event_type="update",resource_type="secrets"} 1',
        'reloader_events_processed_total{event_type="unknown",resource_type="secrets",result="success"} 1',
        'reloader_workloads_scanned_total{kind="Deployment"} 3',
        'reloader_workloads_matched_total{kind="Deployment"} 1',
        'reloader_skipped_total{reason="no_data_change"} 1',
        'reloader_reconcile_total{result="error"} 1',
        'reloader_errors_total{type="handler_error"} 1',
        'reloader_retries_total 1',
        'reloader_workqueue_adds_total 1',
        'reloader_workqueue_depth 3',
        'reloader_workqueue_latency_seconds_bucket{le="0.025"} 1',
        'ballast_reload_throttled_total 1',
      ]),
    )
  })

  test('a loop that starts again counts on in the same registry', async () => {
    await using made = scene()
    made.telling.retried()
    const again = new Telling({
      settings: { webhookUrl: '', metricsByNamespace: true, alerts: noAlerts },
      events: { emit: () => undefined },
      metrics: made.registry,
      namespace: 'ballast-system',
      clock: systemClock,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    })
    again.retried()
    expect(await made.registry.getSingleMetricAsString('reloader_retries_total')).toContain('reloader_retries_total 2')
  })
})
