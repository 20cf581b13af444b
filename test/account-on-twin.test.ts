// Accounts from what an API server keeps: a refusal by the real arbiter, from its event; a pod that somebody deleted.
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { type Account, accountOf } from '#coordination/account/account.ts'
import { bookOf } from '#coordination/account/book.ts'
import { observedPast } from '#coordination/account/observed-past.ts'
import { findSubject } from '#coordination/account/subject.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type ControlledCluster, controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const kinds = ['nodes', 'namespaces', 'pods', 'deployments.apps', 'replicasets.apps', 'poddisruptionbudgets.policy', 'events']
const ours = ['rebalancepolicies.ballast.dev', 'rebalanceplans.ballast.dev', 'disruptionpermits.ballast.dev']

function accountIn(cluster: ControlledCluster, name: string): Account {
  const objects = [...kinds, ...ours].flatMap(kind => cluster.list<KubeObject>(kind))
  const nowMs = cluster.clock.now()
  const { state } = buildClusterState(objects)
  const book = bookOf(objects)
  expect(book.problems).toEqual([])
  const found = findSubject(name, undefined, { state, book })
  if (found.kind !== 'found') throw new Error(`${name}: ${JSON.stringify(found)}`)
  const ledger = viewOf(book.permits.map(({ record }) => record))
  const events = objects.filter(({ kind }) => kind === 'Event')
  return accountOf({
    subject: found.subject,
    state,
    book,
    observed: observedPast({ state, events, ledger, nowMs }),
    policy: defaultPolicy,
    ownerLabel: defaultOwnerLabel,
    ownNamespace: namespace,
    settings: settingsForServer('v1.34.0'),
    nowMs,
    askers: enabledCapabilities,
  })
}

test('a move that is denied because its workload got another owner meanwhile', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy()] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  // Once it is begun: before that it would be made anew.
  let isChanged = false
  cluster.meanwhile = async write => {
    if (isChanged || !/nodes\//.test(write)) return
    isChanged = true
    const labels = { [defaultOwnerLabel.key]: 'keda' }
    await cluster.change(builtIn.deployments, { name: 'solo', namespace: 'shop' }, { metadata: { labels } })
  }
  await cluster.followPlans()
  expect(isChanged).toBe(true)
  const account = accountIn(cluster, 'deploy/solo')
  const denied = account.entries.filter(({ decision }) => decision === 'Denied')
  expect(denied).toEqual([
    expect.objectContaining({
      who: 'deschedule',
      what: 'restart Deployment shop/solo',
      rule: 'owner',
      reason: 'NotOurs',
      sentence: expect.stringContaining('belongs to keda'),
      wayOut: expect.stringContaining(defaultOwnerLabel.key),
      data: expect.objectContaining({ class: 'balance', owner: 'keda', purpose: 'move', workload: 'shop/Deployment/solo' }),
    }),
  ])
  expect(account.entries.some(({ decision }) => decision === 'Granted')).toBe(false)
  expect(account.now[0]).toMatchObject({ question: 'move', decision: 'Denied', objections: [{ rule: 'owner' }] })
  expect(accountIn(cluster, 'deploy/web').entries.filter(({ decision }) => decision === 'Granted')).toHaveLength(2)
})

test('a pod that somebody deleted is observed, and keeps a move waiting', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy()] })
  const [pod] = cluster.list<Pod>('pods').filter(({ metadata }) => metadata.labels?.['app'] === 'web')
  const { name } = pod?.metadata ?? expect.fail('no pod of web')
  const { signal } = new AbortController()
  await cluster.admin.resource(builtIn.pods).delete(name, { namespace: 'shop', signal })
  const readyPods = () =>
    cluster
      .list<Pod>('pods')
      .filter(
        ({ metadata, status }) =>
          metadata.labels?.['app'] === 'web' && metadata.deletionTimestamp === undefined && status?.phase === 'Running',
      )
  await cluster.clock.runUntil(() => !readyPods().some(({ metadata }) => metadata.name === name) && readyPods().length === 2, {
    limitMs: 120_000,
  })
  const account = accountIn(cluster, 'deploy/web')
  expect(account.entries.map(({ who, decision, what }) => `${who} ${decision}: ${what}`)).toEqual([
    'somebody Observed: took a pod of shop/Deployment/web',
  ])
  expect(account.now[0]).toMatchObject({ question: 'move', decision: 'Queued', objections: [{ rule: 'cool-down' }] })
})
