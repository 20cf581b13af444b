// When a change may be decided on: kind by kind, after the list that was asked for because of it.
import { expect, test } from 'vitest'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { refusal, ScriptedTransport } from '#test/scripted-transport.ts'
import { settingsFor, source } from '../testdata/workloads.ts'
import { FreshWorkloads, type SourceChanged } from './fresh-workloads.ts'

/** An informer of which lists are answered by hand. */
function polled(informer: Informer<KubeObject>) {
  const asked: { readonly namespace: string | undefined; readonly come: () => void }[] = []
  const freshen = (namespace: string | undefined) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    asked.push({ namespace, come: resolve })
    return promise
  }
  return { asked, informer: { ...informer, isPolled: true, freshen } }
}

function scene() {
  const clock = new VirtualClock(0)
  const informers = new HandFedInformers(clock)
  const deployments = polled(informers.of<KubeObject>(builtIn.deployments))
  const jobs = polled(informers.of<KubeObject>(builtIn.jobs))
  const watched = informers.of<KubeObject>(builtIn.daemonsets)
  const looked: string[] = []
  const kind = (name: string, resource: typeof builtIn.jobs, informer: Informer<KubeObject>) => ({
    of: { kind: name, resource, isOptional: false },
    informer,
  })
  const kinds = [
    kind('Deployment', builtIn.deployments, deployments.informer),
    kind('Job', builtIn.jobs, jobs.informer),
    kind('DaemonSet', builtIn.daemonsets, watched),
  ]
  const fresh = new FreshWorkloads({
    api: openApi(new ScriptedTransport(() => refusal(500, 'InternalError')), { clock, userAgent: 'test' }),
    clock,
    untold: () => undefined,
    settings: settingsFor(),
    workloads: { kinds, get: () => undefined },
    index: { workloadsOf: () => new Set() },
    baselineOf: () => undefined,
    lookAt: (_, of) => void looked.push(of),
    signal: new AbortController().signal,
  })
  const pending = (of: SourceChanged) => kinds.map(one => one.of.kind).filter(one => fresh.isPending(of.reference, one))
  return { fresh, deployments, jobs, looked, pending, settle: () => clock.quiet() }
}

function changeOf(allowNamespaces = ''): SourceChanged {
  const annotations = allowNamespaces === '' ? {} : { 'ballast.dev/reload-allow-namespaces': allowNamespaces }
  const { reference, annotations: said } = source({ annotations })
  return { reference, annotations: said, event: 'update', version: '7' }
}

test('each kind is decided on when its own list has come; what is watched at once', async () => {
  const { fresh, deployments, jobs, looked, pending, settle } = scene()
  const change = changeOf()
  fresh.changed(change)
  expect(looked).toEqual(['DaemonSet'])
  expect(pending(change)).toEqual(['Deployment', 'Job'])
  deployments.asked[0]?.come()
  await settle()
  expect(looked).toEqual(['DaemonSet', 'Deployment'])
  // Jobs cannot be listed just now, and hold up nobody but themselves.
  expect(pending(change)).toEqual(['Job'])
  jobs.asked[0]?.come()
  await settle()
  expect(pending(change)).toEqual([])
})

test('a list that began before the second change does not let that be decided', async () => {
  const { fresh, deployments, pending, settle } = scene()
  const [first, second] = [changeOf(), { ...changeOf(), version: '9' }]
  fresh.changed(first)
  fresh.changed(second)
  deployments.asked[0]?.come()
  await settle()
  expect(pending(second)).toContain('Deployment')
  deployments.asked[1]?.come()
  await settle()
  expect(pending(second)).not.toContain('Deployment')
})

// biome-ignore format: a table
test.each([
  ['', ['default']],
  ['web,shop,default', ['default', 'web', 'shop']],
  ['web,*', [undefined]],
])('with consent to %j workloads are looked for in %j', (allowed, namespaces) => {
  const { fresh, deployments } = scene()
  fresh.changed(changeOf(allowed))
  expect(deployments.asked.map(({ namespace }) => namespace)).toEqual(namespaces)
})
